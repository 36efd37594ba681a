#!/usr/bin/python
"""Ansible module: set kernel and network card settings, remember what was there, and put it back."""

DOCUMENTATION = r"""
---
module: tune
short_description: Set files below /proc/sys and /sys, and a network card by ethtool, and undo it
description:
  - Writes values into the kernel's own files and sets channels, rings and offloads of a card. What was there before the first change is kept in
    C(/var/lib/blitzlab/undo-NAME.json), and C(state=undone) puts it back.
  - Nothing is persistent. A reboot ends a tuning, and converging again brings it back.
  - What a machine does not have (a path that does not exist, a card without rings) is listed as missing and is no failure.
options:
  name:
    description: Name of the group of settings.
    type: str
    required: true
  state:
    description: Whether the settings are in force or undone.
    type: str
    choices: [present, undone]
    default: present
  settings:
    description: Files to write. A path may hold C(*).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: File of the kernel.
        type: str
        required: true
      value:
        description: What it should say.
        type: str
        required: true
  ethtool:
    description: C(interface), and C(channels), C(rx), C(tx) and C(offloads) as far as they are wanted.
    type: dict
    default: {}
  irq_cpus:
    description: CPUs that take the interrupts of the card in C(ethtool.interface).
    type: str
    default: ""
author:
  - The Blitz authors
"""

import glob
import itertools
import json
import os
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule

STATE = "/var/lib/blitzlab"


def read(path):
    """The value in force; the chosen one where the kernel lists all and brackets one; None where it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            text = " ".join(f.read().split())
    except OSError:
        return None
    chosen = re.search(r"\[([^\]]+)\]", text)
    return chosen.group(1) if chosen else text


def same(key, a, b):
    """Masks of CPUs are padded with zeros and commas; in lists of CPUs ("1,2" is not "12") and in other values both mean something."""
    def norm(v):
        v = " ".join(str(v).split())
        if re.search(r"(/[rx]ps_cpus|/smp_affinity)$", key) and re.fullmatch(r"[0-9a-f,]+", v):
            return v.replace(",", "").lstrip("0") or "0"
        return v
    return norm(a) == norm(b)


def write(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(value)


def run(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return None


def current(section):
    """The figures of ethtool -l and -g below 'Current hardware settings'; what a card does not have is n/a and left out."""
    _, _, now = section.partition("Current hardware settings")
    pairs = ((k.strip().lower(), v.strip()) for k, _, v in (line.partition(":") for line in now.splitlines()))
    return {k: v for k, v in pairs if v and v != "n/a"}


def card(want):
    """Yields (key, value now or None, value wanted, function that sets a value)."""
    dev = want.get("interface")
    if not dev:
        return
    for key, show, change, fields in (
        ("channels", "-l", "-L", {"channels": "combined"}),
        ("ring", "-g", "-G", {"rx": "rx", "tx": "tx"}),
    ):
        asked = {f: int(want[f]) for f in fields if want.get(f)}
        if not asked:
            continue
        out = run("ethtool", show, dev)
        now = current(out.stdout) if out and out.returncode == 0 else {}
        for f, value in asked.items():
            name = fields[f]
            yield "ethtool " + key + " " + name, now.get(name), str(value), \
                lambda v, c=change, n=name: run("ethtool", c, dev, n, v)
    if want.get("offloads"):
        out = run("ethtool", "-k", dev)
        now = {}
        for line in out.stdout.splitlines() if out and out.returncode == 0 else []:
            k, _, v = line.partition(":")
            if v and "[fixed]" not in v:
                now[k.strip()] = v.split()[0]
        for k, on in sorted(want["offloads"].items()):
            yield "ethtool offload " + k, now.get(k), "on" if on else "off", lambda v, n=k: run("ethtool", "-K", dev, n, v)


def files(settings):
    for s in settings:
        paths = sorted(glob.glob(s["path"])) if "*" in s["path"] else [s["path"]]
        if not paths:
            yield s["path"], None, s["value"], None
        for p in paths:
            yield p, read(p), s["value"], lambda v, path=p: write(path, v)


def remembered(before, interface):
    """What undoing sets: all that was changed, whatever the description says by now. SMT goes first, for it brings back CPUs that have settings of their own."""
    paths = sorted((k for k in before if k.startswith("/")), key=lambda k: (not k.endswith("/smt/control"), k))
    want = {"interface": interface, "offloads": {}}
    for k, v in before.items():
        if k.startswith("ethtool offload "):
            want["offloads"][k[len("ethtool offload "):]] = v == "on"
        elif k.startswith("ethtool "):
            what = k.split()[-1]
            want["channels" if what == "combined" else what] = v
    return [{"path": p, "value": before[p]} for p in paths], want


def keep(kept, before):
    """Replaces the file, which is whole at every moment."""
    os.makedirs(STATE, mode=0o755, exist_ok=True)
    with open(kept + ".new", "w", encoding="utf-8") as f:
        json.dump(before, f, indent=1, sort_keys=True)
        f.flush()
        os.fsync(f.fileno())
    os.replace(kept + ".new", kept)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "undone"], "default": "present"},
            "settings": {"type": "list", "elements": "dict", "default": [],
                         "options": {"path": {"type": "str", "required": True}, "value": {"type": "str", "required": True}}},
            "ethtool": {"type": "dict", "default": {}},
            "irq_cpus": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    p = module.params
    settings = list(p["settings"])
    if p["irq_cpus"] and p["ethtool"].get("interface"):
        for irq in sorted(glob.glob("/sys/class/net/" + p["ethtool"]["interface"] + "/device/msi_irqs/*")):
            settings.append({"path": "/proc/irq/" + os.path.basename(irq) + "/smp_affinity_list", "value": p["irq_cpus"]})
    kept = os.path.join(STATE, "undo-" + p["name"] + ".json")
    before = {}
    if os.path.exists(kept):
        with open(kept, encoding="utf-8") as f:
            before = json.load(f)
    undo, ethtool = p["state"] == "undone", p["ethtool"]
    if undo:
        settings, ethtool = remembered(before, ethtool.get("interface"))
    changed, missing, failed, done = [], [], [], set()
    # One after the other, each read at its turn: switching SMT makes CPUs come and go.
    for key, now, want, put in itertools.chain(files(settings), card(ethtool)):
        if now is None:
            missing.append(key)
            continue
        done.add(key)
        if same(key, now, want):
            continue
        changed.append({"setting": key, "from": now, "to": want})
        if module.check_mode:
            continue
        if not undo and key not in before:
            # First remembered, then changed: whoever is interrupted in between can undo all the same.
            before[key] = now
            keep(kept, before)
        try:
            out = put(want)
            if out is not None and out.returncode != 0:
                failed.append(key + ": " + out.stderr.strip())
        except OSError as e:
            failed.append(key + ": " + str(e))
    if undo and not failed and not module.check_mode:
        # What is not there at present stays remembered, for when it is.
        left = {k: v for k, v in before.items() if k not in done}
        if left != before and left:
            keep(kept, left)
        elif not left and os.path.exists(kept):
            os.remove(kept)
    result = {"changed": bool(changed), "settings": changed, "missing": missing}
    if failed:
        module.fail_json(msg="the kernel refused: " + "; ".join(failed), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
