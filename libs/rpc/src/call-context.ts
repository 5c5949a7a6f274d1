/** What a handler knows about the call it answers. Pass it as `parent` to the calls made on its behalf. */
export interface CallContext {
  /** `crucible.policy.v1.PolicyService/Generate` */
  readonly method: string;

  /**
   * Aborted when nobody waits for the answer any more: the caller cancelled or is gone, the deadline passed, or the
   * server gave up waiting while it shuts down. Its reason is a CrucibleError. Stop work on it.
   */
  readonly signal: AbortSignal;

  /** Milliseconds since the epoch. `Infinity` only in the health service's Watch. */
  readonly deadline: number;

  /** What the caller sent; names without regard to case, values of names that end in `-bin` in base64. */
  readonly metadata: Headers;

  /** Address and port of the caller, or of the proxy before it. */
  readonly peer: string;

  /** The caller's `x-request-id`, or one made for this call. */
  readonly requestId: string;
}
