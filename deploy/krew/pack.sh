#!/usr/bin/env bash
# Packs programs as the plugin of kubectl, and writes the manifest by which krew installs it:
# deploy/krew/pack.sh FOLDER PLATFORM=PROGRAM…, a platform being linux_amd64 or the like.
#
# One program gives one archive, byte by byte: times, owners and modes are fixed, and names have an order. An archive holds
# regular files alone, because krew refuses one with a link; the name that completion needs is a line of the caveats.
set -euo pipefail

folder="$1"
shift
[ "$#" -gt 0 ] || { echo 'there is no program to pack' >&2; exit 1; }

root="$(dirname "$0")/../.."
setting() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" "$root/Cargo.toml" | head -n 1; }
version="$(setting version)"
repository="$(setting repository)"
manifest="$folder/provider-secrets.yaml"

if [[ "$(tar --version)" == *GNU* ]]; then
  owner=(--owner=0 --group=0 --numeric-owner)
else
  owner=(--uid 0 --gid 0 --uname '' --gname '')
fi
digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

rm -rf "$folder"
mkdir -p "$folder"
contents="$(mktemp -d)"
trap 'rm -rf "$contents"' EXIT

cat >"$manifest" <<END
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: provider-secrets
spec:
  version: v$version
  homepage: $repository
  shortDescription: See whether Secrets have reached AI platforms
  description: |
    For clusters with the provider-secrets operator, which keeps the secret
    stores of Baseten, PrimeIntellect, Pipecat Cloud and Braintrust equal to
    Kubernetes Secrets.

    status shows how every ProviderSecret stands, why says what is wrong with
    one and what to do, rotated tells when an old value may be revoked, where
    and inventory find what came from which Secret, doctor checks the operator,
    and sync, suspend, resume and release have something done. No command shows
    a value.
  caveats: |
    The operator must run in the cluster:
      $repository#install

    For completion of the plugin's words by kubectl, once:
      ln -s kubectl-provider_secrets "\${KREW_ROOT:-\$HOME/.krew}/bin/kubectl_complete-provider_secrets"
  platforms:
END

for pair in "$@"; do
  platform="${pair%%=*}"
  program="${pair#*=}"
  archive="provider-secrets_${version}_$platform.tar.gz"
  install -m 0755 "$program" "$contents/kubectl-provider_secrets"
  install -m 0644 "$root/LICENSE" "$contents/LICENSE"
  TZ=UTC touch -t 197001010000 "$contents"/*
  COPYFILE_DISABLE=1 tar -C "$contents" --format ustar "${owner[@]}" -cf - LICENSE kubectl-provider_secrets \
    | gzip -9 -n >"$folder/$archive"
  cat >>"$manifest" <<END
    - selector:
        matchLabels:
          os: ${platform%_*}
          arch: ${platform#*_}
      uri: $repository/releases/download/v$version/$archive
      sha256: $(digest <"$folder/$archive" | cut -d ' ' -f 1)
      bin: kubectl-provider_secrets
END
done

echo "wrote $manifest and the archives that it names" >&2
