"""The bill of materials of an image, as SPDX 2.3 in JSON: every file, and the Debian packages that they came from."""

import datetime
import hashlib
import json
import re
import urllib.parse

import debian

PATH = "usr/share/doc/jobrun/jobrun.spdx.json"
_NOT_SAID = {"licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"}


def write(tree, version, epoch):
    """Writes the bill of a tree into it, at PATH. It lists everything but itself."""
    files = [_file(tree, path) for path in sorted(tree.root.rglob("*")) if path.is_file() and not path.is_symlink()]
    sums = "".join(sorted(_sum(file, "SHA1") for file in files))
    verification = hashlib.sha1(sums.encode()).hexdigest()
    packages = [_package(package) for package in sorted(set(tree.packages.values()))]
    image = {
        "SPDXID": "SPDXRef-Image", "name": "jobrun", "versionInfo": version, "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": "NOASSERTION", "licenseDeclared": "Apache-2.0", **_NOT_SAID, "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": verification,
                                    "packageVerificationCodeExcludedFiles": [f"./{PATH}"]},
        "hasFiles": [file["SPDXID"] for file in files]}
    tree.text(PATH, json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"jobrun-{version}",
        "documentNamespace": f"https://jobrun.dev/spdx/jobrun-{version}-{verification}",
        "creationInfo": {"created": _time(epoch), "creators": ["Tool: manifests/image/build.py"]},
        "packages": [image, *packages], "files": files, "documentDescribes": ["SPDXRef-Image"],
        "relationships": [_relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image"),
                          *(_relation("SPDXRef-Image", "CONTAINS", package["SPDXID"]) for package in packages)],
    }, indent=1) + "\n")


def _package(package):
    name, version = debian.name_of(package), debian.field(package, "Version")
    query = urllib.parse.urlencode({"arch": debian.field(package, "Architecture"), "distro": debian.release()})
    url = f"pkg:deb/debian/{urllib.parse.quote(name, safe='')}@{urllib.parse.quote(version, safe='')}?{query}"
    return {
        "SPDXID": _id("Package", name), "name": name, "versionInfo": version, "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION", "licenseDeclared": "NOASSERTION", **_NOT_SAID,
        "licenseComments": f"Its licences are in the image, in {debian.licence(package)}.", "filesAnalyzed": False,
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}]}


def _file(tree, path):
    name, content = f"/{path.relative_to(tree.root)}", path.read_bytes()
    origin = tree.packages.get(name)
    return {
        "SPDXID": _id("File", name), "fileName": f".{name}", **_NOT_SAID,
        "checksums": [{"algorithm": algorithm, "checksumValue": hashlib.new(algorithm.lower(), content).hexdigest()}
                      for algorithm in ("SHA1", "SHA256")],
        "comment": f"From the Debian package {debian.name_of(origin)}." if origin else "Of this image."}


def _sum(file, algorithm):
    return next(each["checksumValue"] for each in file["checksums"] if each["algorithm"] == algorithm)


def _relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _id(kind, name):
    """Letters, digits, dots and dashes only; the sum keeps names apart that look alike then."""
    readable = re.sub("[^A-Za-z0-9.-]+", "-", name).strip("-")
    return f"SPDXRef-{kind}-{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _time(epoch):
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
