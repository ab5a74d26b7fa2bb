//! Series for each object, read from the store when metrics are asked for, so that the series of a deleted
//! object vanish with it. They come in chunks: those of many objects are megabytes.

use std::fmt::{self, Write as _};

use super::metrics::PREFIX;

/// The least length of a chunk but the last. To make one takes a fraction of a millisecond.
const CHUNK: usize = 16 * 1024;

/// What metrics tell of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSample<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
    /// The provider, empty before the first reconcile.
    pub provider: &'a str,
    /// The reason of `Ready`, empty before the first reconcile.
    pub reason: &'a str,
    /// Whether `Ready` is True.
    pub is_ready: bool,
    /// Whether the spec suspends it.
    pub is_suspended: bool,
    /// Seconds since the epoch of the last write to the provider.
    pub last_sync: Option<i64>,
    /// How many entries are in each state.
    pub entries: [(&'static str, u32); 3],
}

/// Where the states of all objects come from.
pub trait ObjectSamples: Send + Sync + 'static {
    /// An object as it is kept.
    type Object: Send + 'static;

    /// Every object there is now.
    fn objects(&self) -> Vec<Self::Object>;

    /// The state of one, unless nothing is known of it.
    fn sample(object: &Self::Object) -> Option<ObjectSample<'_>>;
}

/// The series of all objects as they are now, in the text that is the same in all forms.
pub(super) trait ObjectSeries: Send + Sync {
    fn chunks(&self) -> Box<dyn Iterator<Item = String> + Send>;
}

impl<S: ObjectSamples> ObjectSeries for S {
    fn chunks(&self) -> Box<dyn Iterator<Item = String> + Send> {
        Box::new(Chunks::<S> {
            objects: self.objects(),
            family: 0,
            object: 0,
        })
    }
}

/// A family: its name without the prefix, what it tells, and the series of an object.
struct Family {
    name: &'static str,
    help: &'static str,
    series: fn(&mut Series<'_>, &ObjectSample<'_>) -> fmt::Result,
}

const FAMILIES: [Family; 4] = [
    Family {
        name: "resource_ready",
        help: "Whether an object is Ready",
        series: |series, object| {
            let more = [("provider", object.provider), ("reason", object.reason)];
            series.add(object, &more, i64::from(object.is_ready))
        },
    },
    Family {
        name: "resource_suspended",
        help: "Whether an object is suspended by its spec",
        series: |series, object| series.add(object, &[], i64::from(object.is_suspended)),
    },
    Family {
        name: "resource_last_sync_timestamp_seconds",
        help: "When anything of an object was last written to its provider, as a Unix time",
        series: |series, object| match object.last_sync {
            Some(seconds) => series.add(object, &[], seconds),
            None => Ok(()),
        },
    },
    Family {
        name: "resource_keys",
        help: "Entries of an object, by their state; a state without entries has no series",
        series: |series, object| {
            let mut states = object.entries.iter().filter(|(_, count)| *count > 0);
            states.try_for_each(|(state, count)| series.add(object, &[("state", state)], count))
        },
    },
];

/// Where the next chunk goes on.
struct Chunks<S: ObjectSamples> {
    objects: Vec<S::Object>,
    family: usize,
    object: usize,
}

impl<S: ObjectSamples> Iterator for Chunks<S> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut chunk = String::with_capacity(CHUNK + CHUNK / 8);
        while chunk.len() < CHUNK
            && let Some(family) = FAMILIES.get(self.family)
        {
            let mut series = Series {
                chunk: &mut chunk,
                name: family.name,
            };
            // Writing to a String does not fail.
            if self.object == 0 {
                let _ = series.describe(family.help);
            }
            if let Some(object) = self.objects.get(self.object) {
                if let Some(sample) = S::sample(object) {
                    let _ = (family.series)(&mut series, &sample);
                }
                self.object += 1;
            } else {
                (self.family, self.object) = (self.family + 1, 0);
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

/// The series of one family in a chunk.
struct Series<'a> {
    chunk: &'a mut String,
    name: &'static str,
}

impl Series<'_> {
    fn describe(&mut self, help: &str) -> fmt::Result {
        let name = self.name;
        writeln!(self.chunk, "# HELP {PREFIX}_{name} {help}.")?;
        writeln!(self.chunk, "# TYPE {PREFIX}_{name} gauge")
    }

    fn add(
        &mut self,
        object: &ObjectSample<'_>,
        more: &[(&str, &str)],
        value: impl fmt::Display,
    ) -> fmt::Result {
        let whose = [("namespace", object.namespace), ("name", object.name)];
        write!(self.chunk, "{PREFIX}_{}", self.name)?;
        let mut separator = '{';
        for (label, value) in whose.iter().chain(more) {
            write!(self.chunk, "{separator}{label}=\"")?;
            self.escape(value);
            self.chunk.push('"');
            separator = ',';
        }
        writeln!(self.chunk, "}} {value}")
    }

    /// Adds the value of a label. That of a reason is in status, which a user may have written.
    fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.chunk.push_str("\\\\"),
                '"' => self.chunk.push_str("\\\""),
                '\n' => self.chunk.push_str("\\n"),
                _ => self.chunk.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    struct Many(usize);

    impl ObjectSamples for Many {
        type Object = String;

        fn objects(&self) -> Vec<String> {
            (0..self.0)
                .map(|number| format!("object-{number}"))
                .collect()
        }

        fn sample(name: &String) -> Option<ObjectSample<'_>> {
            Some(ObjectSample {
                namespace: "team",
                name,
                provider: "baseten",
                reason: "Synced",
                is_ready: true,
                last_sync: Some(1),
                entries: [("Synced", 2), ("Failed", 0), ("Pending", 0)],
                ..ObjectSample::default()
            })
        }
    }

    fn series(count: usize) -> usize {
        let metrics = Metrics::default();
        metrics.register_objects(Many(count));
        let text = metrics.render();
        text.lines().filter(|line| !line.starts_with('#')).count()
    }

    /// Cases: S-08
    #[test]
    fn an_object_has_four_series_however_many_there_are() {
        assert_eq!(series(10_000) - series(0), 40_000);
    }

    #[test]
    fn chunks_are_short_and_their_families_whole() {
        let chunks: Vec<String> = Many(1000).chunks().collect();
        assert!(chunks.len() > 10, "{}", chunks.len());
        let (last, others) = chunks.split_last().unwrap();
        assert!(
            others
                .iter()
                .all(|chunk| (CHUNK..CHUNK + 256).contains(&chunk.len()))
        );
        assert!(last.len() < CHUNK + 256);
        let text = chunks.concat();
        let mut names: Vec<_> = text
            .lines()
            .map(|line| {
                line.trim_start_matches("# HELP ")
                    .trim_start_matches("# TYPE ")
            })
            .map(|line| line.split(['{', ' ']).next().unwrap())
            .collect();
        names.dedup();
        let expected = FAMILIES.map(|family| format!("{PREFIX}_{}", family.name));
        assert_eq!(names, expected);
    }

    #[test]
    fn a_forged_reason_stays_one_label() {
        let mut chunk = String::new();
        let mut series = Series {
            chunk: &mut chunk,
            name: "x",
        };
        let object = ObjectSample {
            namespace: "team",
            name: "object",
            ..ObjectSample::default()
        };
        series
            .add(&object, &[("reason", "a\"} 1\nb\\")], 0)
            .unwrap();
        let expected =
            r#"provider_secrets_x{namespace="team",name="object",reason="a\"} 1\nb\\"} 0"#;
        assert_eq!(chunk, format!("{expected}\n"));
    }
}
