//! What `--watch` shows: a line for each change of an object, also for one that came while the watch was broken off.
//! Pure.

use std::{collections::BTreeMap, time::Duration};

use kube::{ResourceExt, runtime::watcher::Event};
use tokio::time::Instant;

use super::fleet::Row;
use crate::{api::ProviderSecret, cli::view::namespaced_name, controller::Guarded};

/// How long after a failure the next one is of another outage. A watch that goes on shows nothing before an object changes.
const OUTAGE: Duration = Duration::from_mins(2);

/// The outages of the API server, each of which is told once.
#[derive(Default)]
pub(super) struct Outages {
    /// Whether a list was answered as a whole.
    pub(super) has_listed: bool,
    /// The last failure of an outage that is not over, as far as it shows.
    last: Option<Instant>,
}

impl Outages {
    /// Takes note of a failure, and says whether an outage begins with it.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let last = self.last.replace(now);
        last.is_none_or(|last| now.duration_since(last) > OUTAGE)
    }

    /// Takes note of an event. The first of a list comes before it is asked for.
    pub(super) fn end<K>(&mut self, event: &Event<K>) {
        self.has_listed |= matches!(event, Event::InitDone);
        if !matches!(event, Event::Init) {
            self.last = None;
        }
    }
}

/// What was shown so far.
#[derive(Default)]
pub(super) struct Follow {
    /// The names of the objects that are followed; all where there is none.
    names: Vec<String>,
    known: Objects,
    /// What a list that is not at its end has shown.
    listed: Objects,
}

/// Objects by namespace and name.
type Objects = BTreeMap<(String, String), Seen>;

/// An object as it was seen last.
#[derive(Clone)]
struct Seen {
    uid: Option<String>,
    version: Option<String>,
    row: Row,
}

impl Follow {
    pub(super) fn new(names: Vec<String>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// The lines of an event. What `decoded` gives none for stays as it was seen before.
    pub(super) fn rows(
        &mut self,
        event: Event<Guarded>,
        decoded: impl FnOnce(Guarded) -> Option<ProviderSecret>,
    ) -> Vec<Row> {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(read) if self.follows(&read) => {
                let place = namespaced_name(&read);
                let seen = seen(read, decoded).or_else(|| self.known.get(&place).cloned());
                self.listed.extend(seen.map(|seen| (place, seen)));
            }
            Event::InitDone => return self.compared(),
            Event::Apply(read) if self.follows(&read) => {
                let place = namespaced_name(&read);
                if let Some(seen) = seen(read, decoded) {
                    let row = seen.row.clone();
                    self.known.insert(place, seen);
                    return vec![row];
                }
            }
            Event::Delete(read) if self.follows(&read) => {
                let known = self.known.remove(&namespaced_name(&read));
                let last = seen(read, decoded).or(known);
                return last.map(|last| last.row.deleted()).into_iter().collect();
            }
            Event::InitApply(_) | Event::Apply(_) | Event::Delete(_) => {}
        }
        Vec::new()
    }

    fn follows(&self, read: &Guarded) -> bool {
        self.names.is_empty() || self.names.contains(&read.name_any())
    }

    /// What a list shows that was not seen before, and what it lacks.
    fn compared(&mut self) -> Vec<Row> {
        let listed = std::mem::take(&mut self.listed);
        let before = std::mem::replace(&mut self.known, listed);
        let mut rows = Vec::new();
        for (place, was) in &before {
            let is = self.known.get(place);
            // Another object may have its name by now.
            if is.is_none_or(|is| is.uid != was.uid) {
                rows.push(was.row.clone().deleted());
            }
        }
        for (place, is) in &self.known {
            let was = before.get(place);
            let is_new = |was: &Seen| (&was.uid, &was.version) != (&is.uid, &is.version);
            if was.is_none_or(is_new) {
                rows.push(is.row.clone());
            }
        }
        rows
    }
}

fn seen(read: Guarded, decoded: impl FnOnce(Guarded) -> Option<ProviderSecret>) -> Option<Seen> {
    let (uid, version) = (read.uid(), read.resource_version());
    let row = Row::of(&decoded(read)?);
    Some(Seen { uid, version, row })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::tests::samples::{object, provider};

    /// An object of this name, uid and version.
    fn read(name: &str, uid: &str, version: &str) -> Guarded {
        let spec = json!({"provider": provider("baseten", "baseten")});
        let mut object = object(&format!("ml/{name}"), spec, json!({}));
        object.metadata.uid = Some(uid.to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        Guarded(Ok(object))
    }

    /// The same, of a form that this program does not know.
    fn unknown(name: &str, uid: &str, version: &str) -> Guarded {
        let Guarded(object) = read(name, uid, version);
        Guarded(Err(Box::new(object.unwrap().metadata)))
    }

    /// The lines of events: the name of each, behind a minus where it is gone.
    fn shown(follow: &mut Follow, events: Vec<Event<Guarded>>) -> Vec<String> {
        let events = events.into_iter();
        let rows = events.flat_map(|event| follow.rows(event, |read| read.0.ok()));
        let word = |row: Row| {
            let row = serde_json::to_value(&row).unwrap();
            let name = row["name"].as_str().unwrap().to_owned();
            match row["reason"].as_str() {
                Some("Deleted") => format!("-{name}"),
                _ => name,
            }
        };
        rows.map(word).collect()
    }

    /// The events of a list.
    fn list(objects: Vec<Guarded>) -> Vec<Event<Guarded>> {
        let objects = objects.into_iter().map(Event::InitApply);
        let events = [Event::Init].into_iter().chain(objects);
        events.chain([Event::InitDone]).collect()
    }

    #[test]
    fn a_new_list_shows_what_came_while_the_watch_was_broken_off() {
        let mut follow = Follow::default();
        let first = list(vec![read("a", "1", "10"), read("b", "2", "11")]);
        assert_eq!(shown(&mut follow, first), ["a", "b"]);
        let changed = vec![Event::Apply(read("a", "1", "12"))];
        assert_eq!(shown(&mut follow, changed), ["a"]);
        // A list that breaks off too tells nothing.
        let broken = vec![Event::Init, Event::InitApply(read("c", "3", "13"))];
        assert_eq!(shown(&mut follow, broken), [""; 0]);
        let again = list(vec![read("a", "1", "12"), read("c", "3", "13")]);
        assert_eq!(shown(&mut follow, again), ["-b", "c"]);
        let anew = list(vec![read("a", "1", "14"), read("c", "4", "15")]);
        assert_eq!(shown(&mut follow, anew), ["-c", "a", "c"]);
        let deleted = vec![Event::Delete(read("c", "4", "16"))];
        assert_eq!(shown(&mut follow, deleted), ["-c"]);
        let rest = list(vec![read("a", "1", "14")]);
        assert_eq!(shown(&mut follow, rest), [""; 0]);
    }

    #[test]
    fn what_this_program_does_not_know_is_not_said_to_be_gone() {
        let mut follow = Follow::default();
        let first = list(vec![read("a", "1", "10"), unknown("b", "2", "11")]);
        assert_eq!(shown(&mut follow, first), ["a"]);
        let changed = vec![Event::Apply(unknown("a", "1", "12"))];
        assert_eq!(shown(&mut follow, changed), [""; 0]);
        let again = list(vec![unknown("a", "1", "12")]);
        assert_eq!(shown(&mut follow, again), [""; 0]);
        let deleted = vec![Event::Delete(unknown("a", "1", "13"))];
        assert_eq!(shown(&mut follow, deleted), ["-a"]);
    }

    #[test]
    fn an_outage_is_told_once() {
        let (mut outages, began) = (Outages::default(), Instant::now());
        let mut begins = |seconds| outages.begin(began + Duration::from_secs(seconds));
        let told = [0, 1, 60, 120].map(&mut begins);
        assert_eq!(told, [true, false, false, false]);
        // It is over, and no object has changed since.
        assert!(begins(600));
        outages.end(&Event::<Guarded>::Init);
        assert!(!outages.begin(began + Duration::from_secs(601)));
        assert!(!outages.has_listed);
        outages.end(&Event::<Guarded>::InitDone);
        assert!(outages.begin(began + Duration::from_secs(602)));
        assert!(outages.has_listed);
    }

    #[test]
    fn only_what_is_named_is_followed() {
        let mut follow = Follow::new(vec!["a".to_owned()]);
        let first = list(vec![read("a", "1", "10"), read("b", "2", "11")]);
        assert_eq!(shown(&mut follow, first), ["a"]);
        let changed = vec![
            Event::Apply(read("b", "2", "12")),
            Event::Delete(read("b", "2", "13")),
        ];
        assert_eq!(shown(&mut follow, changed), [""; 0]);
    }
}
