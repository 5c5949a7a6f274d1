export type {
  Bus,
  BusHealth,
  BusNotice,
  BusStatus,
  ConsumeOptions,
  DeadLetter,
  Delivery,
  DeliveryOptions,
  Handler,
  PublishOptions,
  Receipt,
  SubscribeOptions,
  Subscription,
} from './bus.ts';
export { eventTypes, queueNames, queues } from './catalogue.ts';
export type { EventData, EventPattern, EventType, QueueName, TypesOf } from './catalogue.ts';
export { createBus } from './create-bus.ts';
export type { BusOptions } from './create-bus.ts';
export { createEvent, maxDataBytes } from './event.ts';
export type { BusEvent, NewEvent } from './event.ts';
export { createEmbeddedBus } from './embedded/embedded-bus.ts';
export type { EmbeddedBusOptions } from './embedded/options.ts';
export { createNatsBus } from './nats/nats-bus.ts';
export type { NatsBusOptions } from './nats/options.ts';
