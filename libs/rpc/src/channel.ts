/** The connections of a client: what it tries when they fail, and where it sends calls when there are several. */
import { Client } from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions, ServiceConfig } from '@grpc/grpc-js';
import type { DescMethod } from '@bufbuild/protobuf';
import type { MessageLimits } from './limits.ts';

export interface ChannelSettings {
  readonly credentials: ChannelCredentials;
  readonly serverName: string | undefined;
  readonly limits: Required<MessageLimits>;
  readonly loadBalancing: 'pick_first' | 'round_robin';
  readonly retry: readonly DescMethod[];
}

const retryPolicy = {
  maxAttempts: 4,
  initialBackoff: '0.1s',
  maxBackoff: '2s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
};

/** Retries stop while more than half of these tokens are spent: one a failure, a tenth back a success. */
const retryThrottling = { maxTokens: 20, tokenRatio: 0.1 };

export function createChannel(target: string, settings: ChannelSettings): Client {
  const { credentials, serverName, limits, loadBalancing, retry } = settings;
  const serviceConfig: ServiceConfig = {
    loadBalancingConfig: [{ [loadBalancing]: {} }],
    methodConfig: retry.map((method) => ({
      name: [{ service: method.parent.typeName, method: method.name }],
      retryPolicy,
    })),
    retryThrottling,
  };
  const options: ChannelOptions = {
    'grpc.service_config': JSON.stringify(serviceConfig),
    // No look-ups of TXT records for another one.
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': limits.maxReceiveBytes,
    'grpc.max_send_message_length': limits.maxSendBytes,
    // A server that was restarted is found again within seconds, not minutes.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5000,
    // While calls are at work, a server that has silently gone is noticed.
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    // Services talk to each other directly, whatever proxy the environment names for the world outside.
    'grpc.enable_http_proxy': 0,
    ...(serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
  };
  return new Client(target, credentials, options);
}
