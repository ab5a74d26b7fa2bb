//! A limit of memory for the operator: a control group, as the kubelet makes one for a container. `RLIMIT_AS` would not
//! do, because the operator's allocator reserves more addresses than it uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cluster::process::Program;

/// Joins the group, so that everything of the program is counted from its start, and becomes the program.
const JOIN: &str = r#"echo $$ >"$0/cgroup.procs" && exec "$@""#;

/// Files of the two versions of control groups: root, limit, peak, and where kills are counted.
const VERSIONS: [[&str; 4]; 2] = [
    [
        "/sys/fs/cgroup",
        "memory.max",
        "memory.peak",
        "memory.events",
    ],
    [
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.oom_control",
    ],
];

/// A control group with a limit, removed on drop.
pub(crate) struct MemoryLimit {
    folder: PathBuf,
    peak: &'static str,
    kills: &'static str,
}

impl MemoryLimit {
    /// Makes a group; none where that is not allowed.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        VERSIONS.into_iter().find_map(|[root, limit, peak, kills]| {
            let folder =
                Path::new(root).join(format!("provider-secrets-bench-{}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            let group = Self {
                folder,
                peak,
                kills,
            };
            let limit = group.folder.join(limit);
            // A folder in which there is no such file is no group that counts memory.
            (limit.exists() && fs::write(limit, bytes.to_string()).is_ok()).then_some(group)
        })
    }

    /// A program inside of the group.
    pub(crate) fn program(&self, binary: &Path) -> Program {
        Program::new("/bin/sh")
            .args(["-c", JOIN])
            .arg(&self.folder)
            .arg(binary)
    }

    /// What the group has used at most, in MiB; pages of files and of the kernel are counted too.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a float holds every count of this size"
    )]
    pub(crate) fn peak(&self) -> f64 {
        let bytes = fs::read_to_string(self.folder.join(self.peak)).unwrap_or_default();
        bytes.trim().parse::<u64>().unwrap_or(0) as f64 / (1024.0 * 1024.0)
    }

    /// How many processes of the group were killed for lack of memory.
    pub(crate) fn kills(&self) -> usize {
        let text = fs::read_to_string(self.folder.join(self.kills)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // A group with a process in it stays, which does no harm.
        let _ = fs::remove_dir(&self.folder);
    }
}
