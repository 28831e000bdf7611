// Reads a stream of server-sent events (HTML Living Standard 9.2.6) as far as Lockstep's own stream needs it: the data
// of each event. Ids and types stand in the data; comments and `retry` are passed over.

/** The `data` of each event, in order. An event that the stream's end cuts off is dropped, as the standard says. */
export async function* eventData(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  let data: string[] = [];
  for await (const chunk of bytes) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('data: ')) data.push(line.slice(6));
      if (line !== '' || data.length === 0) continue;
      yield data.join('\n');
      data = [];
    }
  }
}
