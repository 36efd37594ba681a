package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// Memory of the tree now.
func (p *Process) Memory() (Memory, error) {
	pids, err := p.PIDs()
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	known, shared := true, int64(0)
	files := map[string]int64{}
	for _, pid := range pids {
		dir := "/proc/" + strconv.Itoa(pid)
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			return Memory{}, err
		}
		m.RSS += kbField(status, "VmRSS:")
		m.PeakRSS += kbField(status, "VmHWM:")
		rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
		if err != nil {
			return Memory{}, err
		}
		m.PSS += kbField(rollup, "Pss:")
		m.Alone += kbField(rollup, "Pss_Anon:")
		known = known && bytes.Contains(rollup, []byte("\nPss_Anon:")) // older kernels do not tell
		smaps, err := os.ReadFile(filepath.Join(dir, "smaps"))
		if err != nil {
			return Memory{}, err
		}
		shared += mappings(smaps, files)
	}
	for _, n := range files {
		m.Alone += n
	}
	if m.Alone += shared; !known {
		m.Alone = 0
	}
	return m, nil
}

// mappings reads the smaps of a process. files becomes, for each piece of a file that it maps privately, how many bytes of it are in memory and not yet its own copy: the most
// of what one process of the tree has of it, for processes of one program have about the same pages of it. shared are the bytes of what it maps as shared, in
// proportion: as a rule nobody outside the tree has that.
func mappings(smaps []byte, files map[string]int64) (shared int64) {
	var key string // of the mapping whose fields follow; empty if it is not of a file
	var isShared bool
	var rss int64
	for line := range bytes.Lines(smaps) {
		f := bytes.Fields(line)
		if len(f) < 2 {
			continue
		}
		if !bytes.HasSuffix(f[0], []byte(":")) {
			// 7f5c8a400000-7f5c8a428000 r--p 00000000 08:01 1234 /usr/lib/…
			key, isShared, rss = "", false, 0
			if len(f) >= 5 && len(f[1]) == 4 {
				isShared = f[1][3] == 's'
				if !isShared && string(f[4]) != "0" {
					key = string(f[3]) + " " + string(f[4]) + " " + string(f[2])
				}
			}
			continue
		}
		n, err := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil {
			continue
		}
		switch n <<= 10; string(f[0]) {
		case "Rss:":
			rss = n
		case "Pss:":
			if isShared {
				shared += n
			}
		case "Anonymous:":
			if key != "" {
				files[key] = max(files[key], rss-n)
			}
		}
	}
	return shared
}

// kbField finds "Name:   123 kB" at the start of a line and returns bytes; 0 when it is missing.
func kbField(b []byte, name string) int64 {
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		f := bytes.Fields(rest)
		if len(f) == 0 {
			return 0
		}
		n, _ := strconv.ParseInt(string(f[0]), 10, 64)
		return n << 10
	}
	return 0
}
