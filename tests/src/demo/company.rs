//! The demo company サンプル産業株式会社 営業本部: 500 fictional people, byte-identical per seed.
//!
//! 460 members, 35 managers, 3 heads of department and 2 people of HR at 17 sites in Japan, as the CSV file that the
//! ordinary import reads. Knows nothing of the server.

use std::collections::HashSet;

use super::names::{GIVEN_NAMES, SURNAMES};

/// Sites with the number of managers at each.
const SITES: [(&str, usize); 17] = [
    ("札幌", 2),
    ("仙台", 2),
    ("新潟", 1),
    ("さいたま", 2),
    ("千葉", 2),
    ("東京", 6),
    ("立川", 1),
    ("横浜", 3),
    ("静岡", 1),
    ("金沢", 1),
    ("名古屋", 4),
    ("京都", 1),
    ("大阪", 4),
    ("神戸", 1),
    ("広島", 1),
    ("高松", 1),
    ("福岡", 2),
];
const MEMBERS: usize = 460;
const TEAM_SIZES: std::ops::RangeInclusive<usize> = 7..=20;

/// Short name of the organisation.
pub const SLUG: &str = "sample";
/// Name of the organisation.
pub const NAME: &str = "サンプル産業株式会社 営業本部";

/// A person of the demo company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Employee {
    /// Address to sign in with.
    pub email: String,
    /// Family and given name.
    pub name: String,
    /// Site.
    pub site: &'static str,
    /// The manager's address, for members.
    pub manager: Option<String>,
    /// Whether this person works in HR.
    pub hr: bool,
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine and in every version.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; the bias is below 2^-50 for the small bounds used here.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }
}

/// The people of the company, managers before members.
pub fn employees(seed: u64) -> Vec<Employee> {
    let mut random = SplitMix64(seed);
    let mut names = HashSet::new();
    let mut people: Vec<Employee> = Vec::with_capacity(500);
    let mut add = |site, manager: Option<&str>, hr, random: &mut SplitMix64| {
        let name = loop {
            let name = format!("{} {}", SURNAMES[random.below(150)], GIVEN_NAMES[random.below(120)]);
            if names.insert(name.clone()) {
                break name;
            }
        };
        let email = format!("s{:04}@example.jp", people.len() + 1);
        people.push(Employee { email: email.clone(), name, site, manager: manager.map(str::to_owned), hr });
        email
    };
    for _ in 0..3 {
        add("東京", None, false, &mut random);
    }
    for _ in 0..2 {
        add("東京", None, true, &mut random);
    }
    let sites = SITES.iter().flat_map(|(site, managers)| std::iter::repeat_n(*site, *managers));
    let managers: Vec<_> = sites.map(|site| (site, add(site, None, false, &mut random))).collect();
    for ((site, manager), size) in managers.iter().zip(team_sizes(managers.len(), &mut random)) {
        for _ in 0..size {
            add(site, Some(manager), false, &mut random);
        }
    }
    people
}

/// Team sizes around 13.1 with a spread of about 3, which add up to all members.
fn team_sizes(teams: usize, random: &mut SplitMix64) -> Vec<usize> {
    // The sum of three dice of 0 to 6 has mean 9 and a standard deviation of 3.5.
    let mut sizes: Vec<usize> =
        (0..teams).map(|_| (4 + (0..3).map(|_| random.below(7)).sum::<usize>()).clamp(7, 20)).collect();
    loop {
        let sum: usize = sizes.iter().sum();
        if sum == MEMBERS {
            return sizes;
        }
        let team = random.below(teams);
        let size = if sum < MEMBERS { sizes[team] + 1 } else { sizes[team] - 1 };
        if TEAM_SIZES.contains(&size) {
            sizes[team] = size;
        }
    }
}

/// The company as the file that `taiwa-server import` reads.
pub fn csv(people: &[Employee]) -> String {
    let mut csv = String::from("email,name,site,manager_email,role\n");
    for person in people {
        let manager = person.manager.as_deref().unwrap_or_default();
        let role = if person.hr { "hr" } else { "member" };
        csv.push_str(&format!("{},{},{},{manager},{role}\n", person.email, person.name, person.site));
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_company_has_the_shape_of_the_field_experiment() {
        let people = employees(20_240_401);
        assert_eq!(people.len(), 500);
        let members: Vec<_> = people.iter().filter_map(|person| person.manager.as_deref()).collect();
        assert_eq!(members.len(), MEMBERS);
        let managers: HashSet<_> = members.iter().collect();
        assert_eq!(managers.len(), 35);
        for manager in managers {
            let team = members.iter().filter(|member| member == &manager).count();
            assert!(TEAM_SIZES.contains(&team), "{manager}: {team}");
        }
        assert_eq!(people.iter().map(|person| person.site).collect::<HashSet<_>>().len(), 17);
        assert_eq!(people.iter().filter(|person| person.hr).count(), 2);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(csv(&employees(7)), csv(&employees(7)));
        assert_ne!(csv(&employees(7)), csv(&employees(8)));
    }
}
