"""Writes a folder as an image in the docker-archive format, which docker, podman, skopeo and containerd load.

The same folder gives the same bytes: entries are sorted, all belong to root and have one time.
"""

import datetime
import hashlib
import io
import json
import os
import tarfile

import debian


def write(tree, out, tag, config, epoch):
    """Writes the folder `tree` to the file `out`. `config` is that of the OCI image specification: User, Entrypoint…"""
    layer = _layer(tree, epoch)
    digest = hashlib.sha256(layer).hexdigest()
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    image = _json({
        "architecture": debian.architecture(), "os": "linux", "created": created, "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": created, "created_by": "manifests/image/build.py"}]})
    name = f"{hashlib.sha256(image).hexdigest()}.json"
    manifest = _json([{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}])
    partial = f"{out}.partial"
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in ((f"{digest}/layer.tar", layer), (name, image), ("manifest.json", manifest)):
            _add(archive, tarfile.TarInfo(path), epoch, content)
    os.replace(partial, out)


def read(path):
    """The image's configuration and its layer as an open tar file."""
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(manifest["Config"]))
        layer = archive.extractfile(manifest["Layers"][0]).read()
    return manifest, config, tarfile.open(fileobj=io.BytesIO(layer))


def _layer(tree, epoch):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for path in sorted(_paths(tree)):
            entry = layer.gettarinfo(os.path.join(tree, path), path)
            content = None
            if entry.isreg() or entry.islnk():
                with open(os.path.join(tree, path), "rb") as file:
                    content = file.read()
                entry.type, entry.linkname = tarfile.REGTYPE, ""
            _add(layer, entry, epoch, content)
    return buffer.getvalue()


def _paths(tree):
    for folder, folders, files in os.walk(tree):
        for name in folders + files:
            yield os.path.relpath(os.path.join(folder, name), tree)


def _add(archive, entry, epoch, content):
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = epoch, 0, 0, "", ""
    entry.size = len(content) if content is not None else 0
    archive.addfile(entry, io.BytesIO(content) if content is not None else None)


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
