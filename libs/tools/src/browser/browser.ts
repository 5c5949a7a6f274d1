/**
 * Chromium, which tasks share. Each gets a context of its own (cookies, storage, cache) with a proxy of its own before
 * it, and has neither when it is done.
 */
import { type Browser as Chromium, chromium } from 'playwright-core';
import { CrucibleError, withDeadline } from '@crucible/foundation';
import type { NetworkGuard } from '../network/guard.ts';
import { type BrowserSession, type SessionOptions, openSession } from './session.ts';
import { chromiumMissing, findChromium } from './find-chromium.ts';

export interface BrowserOptions {
  /** Default: `findChromium()`. */
  readonly executable?: string;
  /** Contexts at a time. Default 16. */
  readonly mostSessions?: number;
}

export interface Browser extends AsyncDisposable {
  /** A fresh context, which reaches what the guard lets it. Starts the program where it does not run (any more). */
  readonly open: (guard: NetworkGuard, options?: SessionOptions) => Promise<BrowserSession>;
  /** Ends the program, and with it every session. */
  readonly close: () => Promise<void>;
}

const launchTimeout = 30_000;

const switches = [
  // What does not go through the proxy goes nowhere: no name is looked up but by the guard.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  '--dns-prefetch-disable',
  '--disable-quic',
  '--webrtc-ip-handling-policy=disable_non_proxied_udp',
  '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
  // What the browser would like to know for itself. The list takes the place of Playwright's, so it has from that what
  // matters here.
  `--disable-features=${[
    'AutofillServerCommunication',
    'AvoidCorsURLLoaderRestartOnRedirect',
    'AvoidUnnecessaryBeforeUnloadCheckSync',
    'DestroyProfileOnBrowserClose',
    'HttpsFirstBalancedModeAutoEnable',
    'HttpsUpgrades',
    'MediaRouter',
    'NetworkTimeServiceQuerying',
    'OptimizationHints',
    'PaintHolding',
    'PreconnectToSearch',
    'ThirdPartyStoragePartitioning',
  ].join(',')}`,
  '--no-pings',
  '--disable-domain-reliability',
  '--disable-client-side-phishing-detection',
  '--deny-permission-prompts',
  '--mute-audio',
];

export function createBrowser(options: BrowserOptions = {}): Browser {
  const { executable = findChromium(), mostSessions = 16 } = options;
  if (executable === undefined) throw new CrucibleError('failed-precondition', chromiumMissing);
  const sessions = new Set<BrowserSession>();
  let launched: Promise<Chromium> | undefined;
  let opening = 0;
  let closed = false;

  const running = async (): Promise<Chromium> => {
    const current = await launched?.catch(() => undefined);
    if (current?.isConnected()) return current;
    launched = launch(executable);
    return launched;
  };

  return {
    open: async (guard, sessionOptions = {}) => {
      if (closed) throw new CrucibleError('failed-precondition', 'the browser is closed');
      if (sessions.size + opening >= mostSessions)
        throw new CrucibleError('resource-exhausted', `${mostSessions} browser sessions are open; no more are allowed`);
      opening++;
      try {
        const session = await openSession(await running(), guard, sessionOptions);
        sessions.add(session);
        void session.closed.then(() => sessions.delete(session));
        return session;
      } finally {
        opening--;
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };

  async function close(): Promise<void> {
    closed = true;
    await Promise.allSettled([...sessions].map((session) => session.close()));
    const current = await launched?.catch(() => undefined);
    if (current) await withDeadline(current.close(), 10_000, 'end of Chromium').catch(() => undefined);
  }
}

async function launch(executable: string): Promise<Chromium> {
  try {
    return await chromium.launch({
      executablePath: executable,
      // It cannot be had as root; services should not run as root.
      chromiumSandbox: process.getuid?.() !== 0,
      // Nobody listens there: contexts have proxies of their own.
      proxy: { server: 'http://127.0.0.1:9' },
      args: switches,
      // Pages come near to it; it gets none of our keys.
      env: Object.fromEntries(
        ['PATH', 'HOME', 'LANG', 'TMPDIR', 'XDG_RUNTIME_DIR', 'FONTCONFIG_PATH'].flatMap((name) => {
          const value = process.env[name];
          return value === undefined ? [] : [[name, value]];
        }),
      ),
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      timeout: launchTimeout,
    });
  } catch (reason) {
    throw new CrucibleError(
      'unavailable',
      `${executable} does not start: ${(reason as Error).message.split('\n')[0]}`,
      {
        cause: reason,
      },
    );
  }
}
