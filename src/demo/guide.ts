// What the demo prints: what there is, what to try and what to expect, as somebody would type it in a clone.

export interface GuideFacts {
  /** Of the gateway and of its admin API. */
  readonly url: string;
  readonly adminUrl: string;
  /** The command line finds the admin API by itself. */
  readonly isUsualAdmin: boolean;
  readonly idle: string;
  /** `v1: web01 127.0.0.1:4001, …` */
  readonly servers: readonly string[];
  readonly accessLog: string;
  /** Things that are not as the reader may expect: ports that were taken. */
  readonly notes: readonly string[];
}

export function guide(facts: GuideFacts): string {
  const { url, adminUrl, idle } = facts;
  const lockstep = (words: string) =>
    `npx lockstep ${words}${facts.isUsualAdmin ? '' : ` --admin ${adminUrl}`}`;
  const curl = (jar: string) => `curl -s -c ${jar} -b ${jar} ${url}/api/cart`;
  const notes = facts.notes.map((note) => `  Note: ${note}\n`).join('');
  return `
Lockstep demo: a sample shop in two versions, and the gateway in front of them.

  Shop       ${url}/
  Admin API  ${adminUrl}   (metrics: ${adminUrl}/metrics)
${facts.servers.map((line) => `  ${line}`).join('\n')}
${notes}
Try this, the commands in a second terminal:

1. Open ${url}/ and put something into the cart.
   The page is blue: v1. It lists who answered its AJAX, event stream and WebSocket: v1.

2. ${lockstep('status')}
   v1 serves new sessions and has yours; v2 is staged: running, but nobody gets there yet.

3. The same with curl and two cookie jars:
     ${curl('old.jar')}
   {"items":[],"total":0} is the way v1 answers.

4. ${lockstep('promote v2')}
   New sessions get v2 from now on. Your page stays blue and goes on working, reloads included.
     ${curl('old.jar')}
     ${curl('new.jar')}
   The old jar is still answered by v1; the new one by v2: {"lines":[],"totalCents":0}.
   A private window shows v2, in brown.

5. Close the blue page. After ${idle} without a request v1 has no session left, and says so:
     ${lockstep('wait v1 --for drained --timeout 10m')}
   Drained means that its servers can be switched off. (Sessions that never came back count for 60s.)

6. ${lockstep('rollback')}
   v1 gets the new sessions again; those of v2 stay where they are.

Access log: tail -f ${facts.accessLog}
Ctrl-C stops everything and leaves nothing behind. What happens from here on:

`;
}
