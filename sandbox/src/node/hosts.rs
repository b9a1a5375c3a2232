//! Names inside pods: there is no DNS server, each pod has a hosts file that is kept up to date.
//!
//! Files are rewritten in place, because a bind mount would keep showing a replaced one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;

/// A pod that has an address and a hosts file.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) ip: Ipv4Addr,
    pub(super) file: PathBuf,
    /// Lines that the pod brings itself (`hostAliases`).
    pub(super) aliases: String,
    pub(super) ready: bool,
}

/// A Service that selects pods.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    namespace: String,
    name: String,
    selector: BTreeMap<String, String>,
}

/// Knows all names and writes them into the pods' files.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts {
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    hosts: BTreeMap<String, Host>,
    groups: Vec<Group>,
    /// What each file contains, by pod uid.
    written: BTreeMap<String, String>,
}

impl Hosts {
    /// Adds a pod; its file is complete when this returns.
    pub(super) fn add(&self, uid: &str, host: Host) {
        let mut book = self.book();
        book.hosts.insert(uid.to_owned(), host);
        book.rewrite();
    }

    /// Replaces what decides about the names of a pod.
    pub(super) fn update(&self, uid: &str, labels: &BTreeMap<String, String>, ready: bool) {
        let mut book = self.book();
        if let Some(host) = book.hosts.get_mut(uid)
            && (host.ready != ready || host.labels != *labels)
        {
            host.ready = ready;
            host.labels = labels.clone();
            book.rewrite();
        }
    }

    /// Takes away the names of a pod.
    pub(super) fn remove(&self, uid: &str) {
        let mut book = self.book();
        book.written.remove(uid);
        if book.hosts.remove(uid).is_some() {
            book.rewrite();
        }
    }

    /// Replaces all Services.
    pub(super) fn set_services(&self, services: &[Arc<Service>]) {
        let group = |service: &Arc<Service>| {
            let selector = service
                .spec
                .as_ref()?
                .selector
                .clone()
                .filter(|selector| !selector.is_empty())?;
            Some(Group {
                namespace: service.namespace()?,
                name: service.name_any(),
                selector,
            })
        };
        let mut groups: Vec<Group> = services.iter().filter_map(group).collect();
        groups.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let mut book = self.book();
        if book.groups != groups {
            book.groups = groups;
            book.rewrite();
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn rewrite(&mut self) {
        for (uid, host) in &self.hosts {
            let text = self.text(host);
            if self.written.get(uid) == Some(&text) {
                continue;
            }
            match write_in_place(host, &text) {
                Ok(()) => drop(self.written.insert(uid.clone(), text)),
                Err(error) => tracing::warn!(pod = host.name, %error, "cannot write a hosts file"),
            }
        }
    }

    fn text(&self, viewer: &Host) -> String {
        let mut text = format!(
            "127.0.0.1 localhost\n::1 localhost ip6-localhost\n{} {}\n",
            viewer.ip, viewer.name
        );
        text.push_str(&viewer.aliases);
        for group in &self.groups {
            for ip in self.members(group) {
                let Group {
                    namespace, name, ..
                } = group;
                // Writing to a text cannot fail.
                let _ = write!(
                    text,
                    "{ip} {name}.{namespace} {name}.{namespace}.svc {name}.{namespace}.svc.cluster.local"
                );
                if *namespace == viewer.namespace {
                    let _ = write!(text, " {name}");
                }
                text.push('\n');
            }
        }
        text
    }

    /// Lists the addresses behind a Service, ready ones first: most programs take the first. A pod that is not ready counts
    /// too, because a JobManager looks up its own name while it starts.
    fn members(&self, group: &Group) -> Vec<Ipv4Addr> {
        let selected = |host: &&Host| {
            host.namespace == group.namespace
                && group
                    .selector
                    .iter()
                    .all(|(key, value)| host.labels.get(key) == Some(value))
        };
        let mut members: Vec<&Host> = self.hosts.values().filter(selected).collect();
        members.sort_by_key(|host| (!host.ready, host.ip));
        members.into_iter().map(|host| host.ip).collect()
    }
}

fn write_in_place(host: &Host, text: &str) -> std::io::Result<()> {
    if let Some(directory) = host.file.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&host.file)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len().try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use super::*;
    use serde_json::json;

    fn host(directory: &Path, namespace: &str, name: &str, last: u8) -> Host {
        Host {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: BTreeMap::from([("app".to_owned(), "basic".to_owned())]),
            ip: Ipv4Addr::new(10, 0, 0, last),
            file: directory.join(name),
            aliases: String::new(),
            ready: false,
        }
    }

    fn service(namespace: &str, name: &str) -> Arc<Service> {
        let service = json!({ "metadata": { "namespace": namespace, "name": name }, "spec": { "selector": { "app": "basic" } } });
        Arc::new(serde_json::from_value(service).unwrap())
    }

    #[test]
    fn services_lead_to_their_pods() {
        let directory = tempfile::tempdir().unwrap();
        let hosts = Hosts::default();
        hosts.set_services(&[service("default", "basic-rest")]);
        hosts.add("1", host(directory.path(), "default", "jm", 2));
        let text = fs::read_to_string(directory.path().join("jm")).unwrap();
        assert!(text.contains("10.0.0.2 jm\n"), "{text}");
        assert!(text.contains("10.0.0.2 basic-rest.default basic-rest.default.svc basic-rest.default.svc.cluster.local basic-rest\n"));

        hosts.add("2", host(directory.path(), "other", "stranger", 3));
        let text = fs::read_to_string(directory.path().join("stranger")).unwrap();
        assert!(
            text.contains("10.0.0.2 basic-rest.default ") && text.contains("cluster.local\n"),
            "no short name: {text}"
        );
        assert!(
            !text.contains("10.0.0.3 basic-rest"),
            "other namespace: {text}"
        );
    }

    #[test]
    fn files_are_rewritten_in_place_and_ready_pods_come_first() {
        let directory = tempfile::tempdir().unwrap();
        let hosts = Hosts::default();
        hosts.set_services(&[service("default", "svc")]);
        hosts.add("1", host(directory.path(), "default", "a", 2));
        hosts.add("2", host(directory.path(), "default", "b", 3));
        let inode = fs::metadata(directory.path().join("a")).unwrap().ino();
        let order = || {
            let text = fs::read_to_string(directory.path().join("a")).unwrap();
            text.lines()
                .filter(|line| line.contains("svc.default"))
                .map(|line| line[..8].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(order(), ["10.0.0.2", "10.0.0.3"]);
        let labels = host(directory.path(), "", "", 0).labels;
        hosts.update("2", &labels, true);
        assert_eq!(order(), ["10.0.0.3", "10.0.0.2"]);
        hosts.remove("2");
        assert_eq!(order(), ["10.0.0.2"]);
        assert_eq!(
            fs::metadata(directory.path().join("a")).unwrap().ino(),
            inode
        );
    }
}
