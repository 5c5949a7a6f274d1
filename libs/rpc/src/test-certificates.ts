/** Certificates for tests, made anew in every run (X.509 v3, RFC 5280; ECDSA with SHA-256 on P-256). */
import { X509Certificate, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority extends TestCertificate {
  readonly name: string;
}

interface Subject {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly extensions: Buffer[];
}

const ecdsaWithSha256 = sequence(objectId(1, 2, 840, 10045, 4, 3, 2));

export function createAuthority(name: string): TestAuthority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const isAuthority = extension(objectId(2, 5, 29, 19), sequence(tagged(0x01, Buffer.of(0xff))));
  return { name, ...issue({ name, publicKey, extensions: [isAuthority] }, name, privateKey), key: pem(privateKey) };
}

/** A certificate for 127.0.0.1 and the host name `name`. */
export function createCertificate(name: string, authority: TestAuthority): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = sequence(tagged(0x82, Buffer.from(name)), tagged(0x87, Buffer.of(127, 0, 0, 1)));
  const extensions = [extension(objectId(2, 5, 29, 17), names)];
  const { cert } = issue({ name, publicKey, extensions }, authority.name, createPrivateKey(authority.key));
  return { cert, key: pem(privateKey) };
}

function issue({ name, publicKey, extensions }: Subject, issuer: string, issuerKey: KeyObject): { cert: string } {
  const now = Date.now();
  const hour = 3_600_000;
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(Math.floor(Math.random() * 2 ** 31)),
    ecdsaWithSha256,
    distinguishedName(issuer),
    sequence(time(now - hour), time(now + hour)),
    distinguishedName(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuerKey);
  const der = sequence(body, ecdsaWithSha256, tagged(0x03, Buffer.concat([Buffer.of(0), signature])));
  return { cert: new X509Certificate(der).toString() };
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' });
}

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId(2, 5, 4, 3), tagged(0x0c, Buffer.from(name)))));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, tagged(0x04, value));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  const begin = bytes.findIndex((byte, i) => i === 4 || byte !== 0 || bytes[i + 1]! >= 0x80);
  return tagged(0x02, bytes.subarray(begin));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return tagged(0x18, Buffer.from(digits));
}

function objectId(first: number, second: number, ...rest: number[]): Buffer {
  const bytes = rest.flatMap((part) => {
    const septets = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) septets.unshift((left & 0x7f) | 0x80);
    return septets;
  });
  return tagged(0x06, Buffer.of(first * 40 + second, ...bytes));
}

/** Tag, length, value (DER). */
function tagged(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const long = length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
  const header = [tag, ...(length < 0x80 ? [length] : long)];
  return Buffer.concat([Buffer.from(header), value]);
}
