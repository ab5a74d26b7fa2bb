#!/usr/bin/env bash
# Builds the plugin of kubectl for each Rust target that this machine can build, and prints PLATFORM=PROGRAM for each:
# deploy/krew/build.sh TARGET…. One line on standard error names the other platforms, and what they lack.
#
# The plugin is built without jemalloc: a command that ends at once gains nothing by it, and jemalloc aborts on an arm64
# kernel whose pages are larger than those that it was compiled for. On Linux it is linked with musl, whose resolver needs
# nothing of the machine: glibc's loads libraries of exactly the glibc that it was linked with.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo="${CARGO:-cargo}"
machine="$(uname -s)/$(uname -m)"
skipped=''

# Says what a target lacks, and nothing for one that can be built.
lack() {
  local target="$1" compiler="$2"
  case "$target" in
    *-apple-darwin)
      # Apple licenses its SDK for its own machines.
      [[ "$machine" == Darwin/* ]] || { echo "needs Apple's SDK, so build it on macOS"; return; }
      ;;
    *)
      command -v "$compiler" >/dev/null || { echo "needs the C compiler $compiler"; return; }
      ;;
  esac
  if command -v rustup >/dev/null; then rustup target add "$target" >&2 || true; fi
  [ -d "$(rustc --print target-libdir --target "$target")" ] || echo "needs the Rust target $target"
}

for target in "$@"; do
  case "$target" in
    x86_64-unknown-linux-musl) platform=linux_amd64 compiler=x86_64-linux-gnu-gcc own=Linux/x86_64 ;;
    aarch64-unknown-linux-musl) platform=linux_arm64 compiler=aarch64-linux-gnu-gcc own=Linux/aarch64 ;;
    x86_64-apple-darwin) platform=darwin_amd64 compiler=cc own='' ;;
    aarch64-apple-darwin) platform=darwin_arm64 compiler=cc own='' ;;
    *) echo "no platform of the plugin is built as $target" >&2; exit 1 ;;
  esac
  if [ "$machine" = "$own" ]; then compiler=cc; fi
  reason="$(lack "$target" "$compiler")"
  if [ -n "$reason" ]; then
    skipped+="${skipped:+; }${platform/_//} ($reason)"
    continue
  fi
  printf '\n==> building the plugin for %s: takes minutes\n' "${platform/_//}" >&2
  variable="${target//-/_}"
  env "CC_$variable=$compiler" "CARGO_TARGET_$(tr '[:lower:]' '[:upper:]' <<<"$variable")_LINKER=$compiler" \
    "$cargo" build --locked --release --no-default-features --target "$target" --target-dir target --bin provider-secrets >&2
  echo "$platform=target/$target/release/provider-secrets"
done

if [ -n "$skipped" ]; then echo "not built: $skipped" >&2; fi
