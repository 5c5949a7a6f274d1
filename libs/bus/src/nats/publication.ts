import type { MsgHdrs } from '@nats-io/transport-node';

/** A message for a stream. */
export interface Publication {
  readonly subject: string;
  readonly headers: MsgHdrs;
  readonly payload: Uint8Array;
  /** Its `Nats-Msg-Id`, not yet encoded. */
  readonly id: string;
}
