// T05, T06, T09: requests that are answered, aborted, reset, refused, retried, held, cut and tunnelled, in random order and
// at the same time. Whatever became of them, afterwards every count of requests under way and of streams is exactly 0,
// and each request has left exactly one record.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExchangeRecord } from '../../src/core/exchange.ts';
import { Gauges } from '../../src/core/gauges.ts';
import { PinKeys } from '../../src/core/pin.ts';
import { Ledger } from '../../src/core/sessions.ts';
import { GatewaySteering } from '../../src/core/steering.ts';
