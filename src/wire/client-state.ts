// What a client's connection is in the middle of.

export type ClientState =
  | 'head' // between requests, or in the middle of a head
  | 'body' // an exchange is under way and its request body too
  | 'answer' // an exchange is under way and its request is complete
  | 'linger' // closed for writing; reads and drops, so that the client gets to read the answer (RFC 9112 §9.6)
  | 'tunnel'
  | 'closed';
