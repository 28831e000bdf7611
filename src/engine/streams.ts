// The end of streams (WebSockets and event streams) that the gateway itself wants to end.

export interface Stream {
  /** A WebSocket with 1012, an event stream whole. */
  endStream(): void;
}

/** Ends streams one after the other over `jitterMs`, so that their clients do not all come back at once. */
export function endSpread(streams: readonly Stream[], jitterMs: number): void {
  for (const [i, stream] of streams.entries()) {
    if (jitterMs === 0) stream.endStream();
    else setTimeout(() => stream.endStream(), (jitterMs * i) / streams.length).unref();
  }
}
