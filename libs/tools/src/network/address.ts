/**
 * Which addresses are on the public internet. Everything else is refused: this machine, its network, the services that
 * hand credentials to machines in clouds, and addresses that hide such a one in themselves.
 *
 * After the special-purpose registries of IANA (RFC 6890 and its updates), read by Node's own `net.BlockList`; nothing
 * here takes addresses apart.
 */
import { BlockList, isIPv6 } from 'node:net';

const special4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by carriers; Alibaba's metadata
  '127.0.0.0/8', // this machine
  '168.63.129.16/32', // Azure's own services, on an address that looks public
  '169.254.0.0/16', // link-local; the metadata of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments; Oracle's metadata
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // relays to IPv6, abandoned
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved; broadcast
];

/** Of 2000::/3, which is all that is handed out. */
const special6 = [
  '2001::/23', // protocol assignments: Teredo, ORCHID, benchmarks
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: an IPv4 address within
  '3fff::/20', // documentation
];

const nat64 = '64:ff9b::';

const assigned = new BlockList();
assigned.addSubnet('2000::', 3, 'ipv6');
assigned.addSubnet(nat64, 96, 'ipv6');
assigned.addSubnet('0.0.0.0', 0, 'ipv4');

const special = new BlockList();
for (const subnet of special4) {
  const [address, prefix] = subnet.split('/') as [string, string];
  // A rule for IPv4 also holds for ::ffff:a.b.c.d.
  special.addSubnet(address, Number(prefix), 'ipv4');
  special.addSubnet(nat64 + address, 96 + Number(prefix), 'ipv6');
}
for (const subnet of special6) {
  const [address, prefix] = subnet.split('/') as [string, string];
  special.addSubnet(address, Number(prefix), 'ipv6');
}

/** `address`: IPv4 or IPv6 as `net.isIP` takes it; what it does not take is not public. */
export function isPublicAddress(address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  // A scope (`%eth0`) makes sense on a link alone.
  if (address.includes('%')) return false;
  try {
    return assigned.check(address, family) && !special.check(address, family);
  } catch {
    return false;
  }
}
