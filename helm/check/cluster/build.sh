#!/usr/bin/env bash
# Builds kube-apiserver and kube-controller-manager 1.20 from Debian 12's source package, and takes etcd from a Debian package. Nothing is
# installed. Needs apt-get with a bookworm source, make, a C compiler, patch and jq.
#
#   build.sh OUT [WORK]     OUT is then a KUBE_BIN. Some minutes on two cores, 2 GB in WORK, which can go afterwards.
#
# Two changes to the source: reflect2 1.0.1 crashes with newer Go, so Debian's 1.0.2 replaces it. And the ReplicaSet controller honours
# controller.kubernetes.io/pod-deletion-cost, as every version since 1.22 does.
set -euo pipefail
version=1.20.5+really1.20.2-1.1+deb12u1
mkdir -p "${1:?folder for the programs}" && out=$(cd "$1" && pwd)
work=${2:-$(mktemp -d)} && mkdir -p "$work" && work=$(cd "$work" && pwd)
mkdir -p "$work"/apt/{parts,lists/partial,cache/archives/partial} "$work"/{debs,root,source,home,cache,wrap}

# A private apt configuration: the machine's bookworm sources, as deb and as deb-src.
python3 - "$work/apt/parts/bookworm.sources" <<'PYTHON'
import pathlib, re, sys
stanzas = [
    re.sub(r"^Types:.*$", "Types: deb deb-src", stanza, flags=re.M)
    for file in pathlib.Path("/etc/apt/sources.list.d").glob("*.sources")
    for stanza in re.split(r"\n\s*\n", file.read_text())
    if re.search(r"^Suites:.*\bbookworm\b", stanza, re.M) and re.search(r"^Components:.*\bmain\b", stanza, re.M)
]
if not stanzas:
    sys.exit("no source of Debian bookworm under /etc/apt/sources.list.d")
pathlib.Path(sys.argv[1]).write_text("\n\n".join(stanzas) + "\n")
PYTHON
cat > "$work/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/apt/parts";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
CONF
export APT_CONFIG="$work/apt/apt.conf"
apt-get -qq update
packages=(golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev etcd-server rsync libpopt0 libxxhash0)
(cd "$work/debs" && apt-get -qq download "${packages[@]}" 2>/dev/null)
for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
(cd "$work/source" && apt-get -qq source --download-only "kubernetes=$version" 2>/dev/null)

rm -rf "$work/kubernetes" && mkdir "$work/kubernetes" && cd "$work/kubernetes"
tar xzf "$work"/source/kubernetes_1.20*.orig.tar.gz --strip-components=1
tar xJf "$work"/source/kubernetes_1.20*.debian.tar.xz -C "$work/source"
grep -v '^#' "$work/source/debian/patches/series" | while read -r name; do
  patch -s -p1 < "$work/source/debian/patches/$name"
done
reflect=vendor/github.com/modern-go/reflect2
rm -f "$reflect"/*.go "$reflect"/*.s
gocode="$work/root/usr/share/gocode/src"
cp "$gocode"/github.com/modern-go/reflect2/*.{go,s} "$reflect/"
python3 - <<'PYTHON'
path = "pkg/controller/controller_utils.go"
source = open(path).read()
mark = "\t// 4. Doubled up < not doubled up\n"
assert source.count(mark) == 1
cost = "\tif a, b := deletionCost(s.Pods[i]), deletionCost(s.Pods[j]); a != b {\n\t\treturn a < b\n\t}\n"
function = """
func deletionCost(pod *v1.Pod) int64 {
\tvar cost int64
\tfmt.Sscanf(pod.Annotations["controller.kubernetes.io/pod-deletion-cost"], "%d", &cost)
\treturn cost
}
"""
open(path, "w").write(source.replace(mark, cost + mark) + function)
PYTHON

# The build calls rsync; it needs the libraries beside it.
printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/root/usr/lib/x86_64-linux-gnu exec %s/root/usr/bin/rsync "$@"\n' "$work" "$work" > "$work/wrap/rsync"
chmod +x "$work/wrap/rsync"
cat > "$work/version" <<VERSION
KUBE_GIT_COMMIT='debian'
KUBE_GIT_TREE_STATE='archive'
KUBE_GIT_VERSION='v1.20.2'
KUBE_GIT_MAJOR='1'
KUBE_GIT_MINOR='20'
VERSION
mkdir -p .go/src/k8s.io && ln -sfn "$PWD" .go/src/k8s.io/kubernetes
unset GOFLAGS GO111MODULE GOTOOLCHAIN
export GOROOT="$work/root/usr/lib/go-1.19" GOPATH="$work/kubernetes/.go" GOCACHE="$work/cache" HOME="$work/home" CGO_ENABLED=0 GOPROXY=off
export KUBE_GIT_VERSION_FILE="$work/version" GOLDFLAGS="-s -w -buildid=" SOURCE_DATE_EPOCH=1700000000
export PATH="$work/wrap:$GOROOT/bin:$PATH"
make -s generated_files
make -s WHAT="cmd/kube-apiserver cmd/kube-controller-manager"
install -m755 _output/bin/kube-apiserver _output/bin/kube-controller-manager "$work/root/usr/bin/etcd" "$out"
ls -l "$out"
