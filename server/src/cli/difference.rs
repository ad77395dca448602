//! What an import changes, in words for whoever keeps the list: by name, with counts, long lists cut.

use std::fmt::Write;

use taiwa_shared::protocol::people::{AddedPerson, ChangedField, ChangedPerson, Difference, NamedPair, NamedPerson};

use super::count::count;

/// Longest list that is printed whole.
const SHOWN: usize = 25;

/// The difference: one line of counts, then who and what.
pub(super) fn in_words(slug: &str, organisation_added: bool, difference: &Difference) -> String {
    let Difference { added, changed, removed, unchanged, sites_added, pairs_opened, pairs_closed, .. } = difference;
    let organisation = if organisation_added { "new organisation" } else { "organisation" };
    let mut text = format!(
        "{organisation} {slug}: {} added, {} changed, {} removed, {unchanged} unchanged; {} added; {} opened, {} \
         closed\n",
        count(added.len(), "person", "people"),
        changed.len(),
        removed.len(),
        count(sites_added.len(), "workplace", "workplaces"),
        count(pairs_opened.len(), "pair", "pairs"),
        pairs_closed.len(),
    );
    list(&mut text, "Added", added, addition);
    list(&mut text, "Changed", changed, change);
    list(&mut text, "Removed, with no access any more", removed, |NamedPerson { name, email }| {
        format!("{name} <{email}>")
    });
    list(&mut text, "Workplaces added", sites_added, Clone::clone);
    let pair = |NamedPair { member, manager }: &NamedPair| format!("{member} with {manager}");
    list(&mut text, "Pairs opened", pairs_opened, pair);
    let closed = "Pairs closed; the member reads on, the former manager for 30 days";
    list(&mut text, closed, pairs_closed, pair);
    text
}

fn list<T>(text: &mut String, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title} ({}):", items.len());
    // One more line is shorter than saying that there is one more.
    let shown = if items.len() <= SHOWN + 1 { items.len() } else { SHOWN };
    for item in &items[..shown] {
        let _ = writeln!(text, "  {}", line(item));
    }
    if shown < items.len() {
        let _ = writeln!(text, "  and {} more", items.len() - shown);
    }
}

fn addition(person: &AddedPerson) -> String {
    let AddedPerson { name, email, site, manager, role } = person;
    let site = site.as_ref().map(|site| format!(", {site}")).unwrap_or_default();
    let manager = manager.as_ref().map(|manager| format!(", manager {manager}")).unwrap_or_default();
    format!("{name} <{email}>, {}{site}{manager}", format!("{role:?}").to_lowercase())
}

fn change(person: &ChangedPerson) -> String {
    let ChangedPerson { name, email, returns, fields } = person;
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let mut changes: Vec<String> = fields
        .iter()
        .map(|ChangedField { field, old, new }| format!("{} {} -> {}", field.as_str(), shown(old), shown(new)))
        .collect();
    if *returns {
        changes.insert(0, "comes back".to_owned());
    }
    format!("{name} <{email}>: {}", changes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_how_much_is_missing() {
        let person = |number: usize| NamedPerson { name: format!("人{number}"), email: format!("p{number}@a.jp") };
        for (people, last) in [(2, "  人1 <p1@a.jp>"), (26, "  人25 <p25@a.jp>"), (62, "  and 37 more")] {
            let difference = Difference { removed: (0..people).map(person).collect(), ..Difference::default() };
            let text = in_words("a", false, &difference);
            assert!(
                text.starts_with(&format!("organisation a: 0 people added, 0 changed, {people} removed")),
                "{text}"
            );
            assert_eq!(text.lines().last(), Some(last));
        }
    }

    #[test]
    fn a_change_says_what_it_was_and_what_it_becomes() {
        let field = |field, old: Option<&str>, new: Option<&str>| ChangedField {
            field,
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        use taiwa_shared::protocol::people::PersonField::{Manager, Site};
        let person = ChangedPerson {
            name: "佐藤 花子".to_owned(),
            email: "hanako@a.jp".to_owned(),
            returns: true,
            fields: vec![field(Site, Some("名古屋"), Some("大阪")), field(Manager, Some("高橋 健"), None)],
        };
        assert_eq!(
            change(&person),
            "佐藤 花子 <hanako@a.jp>: comes back; site 名古屋 -> 大阪; manager 高橋 健 -> nothing"
        );
    }
}
