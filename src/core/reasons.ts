// Why a request went where it went: one word of a closed set, the same in log, metric label and test.
// Extend it here and nowhere else.

export const REASONS = [
  'new', // no usable pin: a new session's weighted choice
  'pinned', // a verified pin
  'tab', // the x-lockstep-version header of the page's own script
  'page', // the page that asks is of another version than the session's pin (pin.scope: page)
  'marker', // a header, query or cookie marker
  'asset', // asset memory
  'own', // a path under /.lockstep/: the gateway's own
  'preview', // a signed preview pin
  'repinned-navigation', // the ladder's navigation step, or pin.scope: page
  'repinned-idle', // the ladder's idle step
  'repinned-forced', // the ladder's deadline, or rollback with sessions: move
  'pin-invalid', // a pin that does not verify; treated as new
  'pin-expired', // a navigation whose pin is past idle or life; a new session
  'pin-gone', // a dead pin: its version was known once and takes no pinned traffic
  'accepted', // a dead pin, of a version whose clients the active one accepts
  'failover', // the pin's version has no available upstream and patience ran out
  'held', // waited for an upstream of its version, then served or refused
  'refused', // an answer of the gateway itself
] as const;

export type Reason = (typeof REASONS)[number];
