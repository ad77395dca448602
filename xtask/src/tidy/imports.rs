//! Who uses whom: every path in a file, resolved to `crate::module`, held against the tables of [`super::rules`].
//!
//! Reads the syntax tree, so that grouped imports and paths inside expressions count; code under `#[cfg(test)]` does not.

use std::collections::BTreeSet;

use anyhow::Result;
use syn::visit::{self, Visit};

use super::{is_test_file, rules};

/// Adds the broken import rules of one file.
pub(super) fn check(path: &str, text: &str, broken: &mut Vec<String>) -> Result<()> {
    if is_test_file(path) {
        return Ok(());
    }
    let mut paths = Paths { module: module_of(path), found: BTreeSet::new() };
    paths.visit_file(&syn::parse_file(text)?);
    let module = module_of(path).join("::");
    let mut seen = BTreeSet::new();
    for used in &paths.found {
        if let Some(rule) = forbidden(path, &module, used)
            && seen.insert(rule.clone())
        {
            broken.push(format!("{path}: {rule}"));
        }
    }
    Ok(())
}

/// `shared/src/sync/wire.rs` is `["shared", "sync", "wire"]`.
fn module_of(path: &str) -> Vec<String> {
    let trimmed =
        path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/lib").trim_end_matches("/main");
    trimmed.split('/').filter(|part| *part != "src").map(str::to_owned).collect()
}

/// Why `used` may not be used in the file, if so.
fn forbidden(path: &str, module: &str, used: &str) -> Option<String> {
    let first = used.split("::").next().unwrap_or(used);
    if let Some(door) = rules::DOORS.iter().find(|door| door.krate == first)
        && !door.files.iter().any(|files| path.starts_with(files))
    {
        return Some(format!("uses {first}, whose door is {}", door.files.join(", ")));
    }
    if is_below(module, "shared::sync")
        && first == "automerge"
        && rules::OPENS_A_DOCUMENT.iter().any(|name| used.split("::").any(|part| part == *name))
    {
        return Some(format!("uses {used}: the sync engine never opens a document"));
    }
    for never in rules::NEVER.iter().filter(|never| path.starts_with(never.files)) {
        if is_below(used, never.used) && !is_below(used, never.except) {
            return Some(format!("uses {used}; of {} it may use {} only", never.used, never.except));
        }
    }
    let rule = rules::IMPORTS.iter().find(|rule| is_below(module, rule.module))?;
    let is_workspace = ["shared::", "server::", "mobile-core::"].iter().any(|krate| used.starts_with(krate));
    let allowed = is_below(used, rule.module) || rule.may_use.iter().any(|allowed| is_below(used, allowed));
    (is_workspace && !allowed).then(|| format!("{} may not use {used}", rule.module))
}

fn is_below(path: &str, ancestor: &str) -> bool {
    path == ancestor || path.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with("::"))
}

struct Paths {
    /// Where we are, inline modules included.
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Paths {
    fn add(&mut self, segments: &[String]) {
        let Some(first) = segments.first() else { return };
        let mut resolved: Vec<String> = match first.as_str() {
            "crate" => vec![self.module[0].clone()],
            "self" => self.module.clone(),
            "super" => self.module.clone(),
            "taiwa_shared" => vec!["shared".to_owned()],
            "taiwa_server" => vec!["server".to_owned()],
            "taiwa_mobile_core" => vec!["mobile-core".to_owned()],
            other => vec![other.to_owned()],
        };
        let supers = segments.iter().take_while(|segment| *segment == "super").count();
        resolved.truncate(resolved.len().saturating_sub(supers).max(1));
        resolved.extend(segments.iter().skip(supers.max(1)).cloned());
        self.found.insert(resolved.join("::"));
    }

    fn add_tree(&mut self, tree: &syn::UseTree, prefix: &mut Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(&path.tree, prefix);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.add_leaf(&name.ident, prefix),
            syn::UseTree::Rename(rename) => self.add_leaf(&rename.ident, prefix),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(item, prefix)),
        }
    }

    fn add_leaf(&mut self, ident: &syn::Ident, prefix: &mut Vec<String>) {
        let depth = prefix.len();
        if ident != "self" {
            prefix.push(ident.to_string());
        }
        self.add(prefix);
        prefix.truncate(depth);
    }

    /// Paths inside a macro's tokens: what follows `name ::`.
    fn add_tokens(&mut self, tokens: &proc_macro2::TokenStream) {
        for door in rules::DOORS {
            let text = tokens.to_string();
            if text.contains(&format!("{} ::", door.krate)) || text.contains(&format!("{}::", door.krate)) {
                self.add(&[door.krate.to_owned()]);
            }
        }
    }
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test_only(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, &mut Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, macro_call: &'ast syn::Macro) {
        self.add_tokens(&macro_call.tokens);
        visit::visit_macro(self, macro_call);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.add_tokens(&list.tokens);
        visit::visit_meta_list(self, list);
    }
}
