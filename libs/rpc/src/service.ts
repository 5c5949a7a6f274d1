/**
 * Services as plain functions. A handler is given the request and the context of the call; a stream of requests is an
 * async iterable, and a stream of responses is one that the handler returns, as an async generator does.
 */
import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { CallContext } from './call-context.ts';

/** What tells the four kinds of methods apart. */
export interface MethodKind<K extends DescMethod['methodKind'], I extends DescMessage, O extends DescMessage> {
  readonly methodKind: K;
  readonly input: I;
  readonly output: O;
}

/** Responses are messages, or objects with some of their fields. */
export type Handler<M> =
  M extends MethodKind<'unary', infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>> | MessageInitShape<O>
    : M extends MethodKind<'server_streaming', infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
      : M extends MethodKind<'client_streaming', infer I, infer O>
        ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => Promise<MessageInitShape<O>>
        : M extends MethodKind<'bidi_streaming', infer I, infer O>
          ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
          : never;

/** A function for every method of the service. */
export type Handlers<S extends DescService> = { readonly [M in keyof S['method']]: Handler<S['method'][M]> };

/** A handler of a method that is known at run time alone. */
export type AnyHandler = (request: object, context: CallContext) => unknown;

/** A service and what answers it. */
export interface ServiceImplementation {
  readonly service: DescService;
  readonly handler: (method: DescMethod) => AnyHandler;
}

/** `handlers` may be an object of a class; its functions are called as its methods. */
export function implementService<S extends DescService>(service: S, handlers: Handlers<S>): ServiceImplementation {
  const byName = handlers as unknown as Record<string, AnyHandler>;
  return { service, handler: (method) => (request, context) => byName[method.localName]!(request, context) };
}
