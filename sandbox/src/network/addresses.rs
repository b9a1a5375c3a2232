//! Which addresses an instance uses: pure choices, no system calls.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subnet {
    base: u32,
    length: u8,
}

impl Subnet {
    /// Length of the prefix of every pod network.
    pub(super) const LENGTH: u8 = 16;

    /// Makes the range that contains `address`.
    pub(super) fn containing(address: Ipv4Addr, length: u8) -> Self {
        let length = length.min(32);
        Self {
            base: address.to_bits() & mask(length),
            length,
        }
    }

    /// Returns the host's address in a pod network.
    pub(super) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base + 1)
    }

    fn overlaps(self, other: Self) -> bool {
        let common = mask(self.length.min(other.length));
        self.base & common == other.base & common
    }

    /// Picks a pod network that collides with nothing that this host knows; instances begin at different places.
    pub(super) fn choose(seed: u32, taken: &[Subnet]) -> Option<Self> {
        let candidates: Vec<Subnet> = candidates().collect();
        let first = usize::try_from(seed).unwrap_or_default() % TENS;
        let ordered = (0..TENS)
            .map(|offset| (first + offset) % TENS)
            .chain(TENS..candidates.len());
        ordered
            .map(|index| candidates[index])
            .find(|candidate| !taken.iter().any(|range| range.overlaps(*candidate)))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}/{}",
            Ipv4Addr::from_bits(self.base),
            self.length
        )
    }
}

const TENS: usize = 55;

/// Ranges that are seldom used: the end of 10.0.0.0/8, then 172.16.0.0/12, then those reserved for benchmarks.
///
/// 10.96.0.0/12 is missing because cluster IPs are taken from it.
fn candidates() -> impl Iterator<Item = Subnet> {
    let tens = (200..=254).map(|second| (10, second));
    let rest = (20..=31)
        .map(|second| (172, second))
        .chain([(198, 18), (198, 19)]);
    tens.chain(rest).map(|(first, second)| {
        Subnet::containing(Ipv4Addr::new(first, second, 0, 0), Subnet::LENGTH)
    })
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

/// Hands out the addresses of a pod network, each to one pod at a time.
#[derive(Debug)]
pub(super) struct Addresses {
    subnet: Subnet,
    used: BTreeSet<u32>,
    next: u32,
}

impl Addresses {
    /// The first 16 are left to the host.
    const FIRST: u32 = 16;

    pub(super) fn new(subnet: Subnet) -> Self {
        Self {
            subnet,
            used: BTreeSet::new(),
            next: Self::FIRST,
        }
    }

    /// Takes the address that was free for longest, so that nobody talks to a new pod as to an old one.
    pub(super) fn take(&mut self) -> Option<Ipv4Addr> {
        let end = u32::MAX >> self.subnet.length; // the last one is the broadcast address
        let candidates = (self.next..end).chain(Self::FIRST..self.next);
        let host = candidates
            .into_iter()
            .find(|host| !self.used.contains(host))?;
        self.used.insert(host);
        self.next = if host + 1 == end {
            Self::FIRST
        } else {
            host + 1
        };
        Some(Ipv4Addr::from_bits(self.subnet.base + host))
    }

    pub(super) fn give_back(&mut self, address: Ipv4Addr) {
        self.used.remove(&(address.to_bits() - self.subnet.base));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        let (address, length) = text.split_once('/').unwrap();
        Subnet::containing(address.parse().unwrap(), length.parse().unwrap())
    }

    #[test]
    fn a_free_range_is_chosen() {
        assert_eq!(Subnet::choose(31, &[]), Some(subnet("10.231.0.0/16")));
        assert_eq!(
            Subnet::choose(31, &[subnet("10.231.7.0/24")]),
            Some(subnet("10.232.0.0/16"))
        );
        assert_eq!(
            Subnet::choose(54, &[subnet("10.254.0.1/32")]),
            Some(subnet("10.200.0.0/16"))
        );
    }

    #[test]
    fn a_host_whose_ranges_are_taken_gets_another_one_or_none() {
        let company = [subnet("10.0.0.0/8"), subnet("172.16.0.0/12")];
        assert_eq!(Subnet::choose(31, &company), Some(subnet("198.18.0.0/16")));
        let everything = [company[0], company[1], subnet("198.18.0.0/15")];
        assert_eq!(Subnet::choose(31, &everything), None);
    }

    #[test]
    fn cluster_addresses_are_never_chosen() {
        let services = subnet("10.96.0.0/12");
        assert!(candidates().all(|candidate| !candidate.overlaps(services)));
    }

    #[test]
    fn an_address_belongs_to_one_pod_and_is_not_reused_at_once() {
        let mut addresses = Addresses::new(subnet("10.231.0.0/16"));
        let first = addresses.take().unwrap();
        assert_eq!(first, Ipv4Addr::new(10, 231, 0, 16));
        addresses.give_back(first);
        assert_eq!(addresses.take().unwrap(), Ipv4Addr::new(10, 231, 0, 17));
    }

    #[test]
    fn addresses_come_round_and_run_out() {
        let mut addresses = Addresses::new(subnet("10.231.0.0/27"));
        let all: Vec<_> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(all.len(), 31 - 16);
        addresses.give_back(all[3]);
        assert_eq!(addresses.take(), Some(all[3]));
        assert_eq!(addresses.take(), None);
    }
}
