import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from './address.ts';

interface Reference {
  readonly python: string;
  readonly global: readonly string[];
  readonly other: readonly string[];
}

describe('isPublicAddress()', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.0.9', 'loopback'],
    ['0.0.0.0', 'this host'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'carrier'],
    ['100.100.100.200', 'metadata of Alibaba'],
    ['169.254.169.254', 'metadata of most'],
    ['168.63.129.16', 'services of Azure'],
    ['192.0.0.192', 'metadata of Oracle'],
    ['255.255.255.255', 'broadcast'],
    ['239.1.1.1', 'multicast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::127.0.0.1', 'compatible with IPv4'],
    ['::ffff:127.0.0.1', 'mapped'],
    ['::fFFf:7f00:1', 'mapped'],
    ['0:0:0:0:0:ffff:a9fe:a9fe', 'mapped'],
    ['::ffff:0:127.0.0.1', 'translated'],
    ['64:ff9b::7f00:1', 'NAT64'],
    ['64:ff9b::169.254.169.254', 'NAT64'],
    ['64:ff9b::168.63.129.16', 'NAT64'],
    ['64:ff9b:1::808:808', 'NAT64 of a site'],
    ['2002:7f00:1::', '6to4'],
    ['2002:c0a8:101::', '6to4'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local with a scope'],
    ['2606:4700::1%lo', 'with a scope'],
    ['fec0::1', 'site-local'],
    ['fc00::1', 'unique local'],
    ['fd00:ec2::254', 'metadata of AWS'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'documentation'],
    ['3fff::1', 'documentation'],
    ['4000::1', 'not handed out'],
    ['127.1', 'no address'],
    ['0x7f000001', 'no address'],
    ['017700000001', 'no address'],
    ['2130706433', 'no address'],
    ['', 'no address'],
    ['localhost', 'no address'],
  ])('refuses %s (%s)', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::808:808',
  ])('lets %s pass', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it("agrees with Python's ipaddress on random addresses and the edges of every special network", () => {
    const { global, other } = JSON.parse(
      readFileSync(new URL('../../fixtures/addresses.json', import.meta.url), 'utf8'),
    ) as Reference;
    expect(global.length).toBeGreaterThan(400);
    expect(other.length).toBeGreaterThan(400);
    expect(global.filter((address) => !isPublicAddress(address))).toEqual([]);
    expect(other.filter((address) => isPublicAddress(address))).toEqual([]);
  });
});
