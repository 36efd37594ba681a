package config

import (
	"slices"
	"strings"
)

// LoadAfter is Load for a file that follows prev, which may be nil. With thousands of routes of which few have changed it costs a fraction of
// Load: the text of what has not changed is not read again. The outcome is the same, errors included.
func LoadAfter(path string, prev *Config) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return ParseAfter(path, data, prev)
}

// ParseAfter is Parse for what follows prev, as LoadAfter is Load. It keeps data's text as long as the configuration.
func ParseAfter(name string, data []byte, prev *Config) (*Config, error) {
	text := string(data)
	if c := patch(name, text, prev); c != nil {
		return c, nil
	}
	c, starts, err := read(name, text, false)
	if err != nil {
		return nil, err
	}
	if c.remembers(starts, text) {
		s := &source{name: name, text: text, starts: starts, keys: make([]string, len(c.Routes))}
		for i := range c.Routes {
			s.keys[i] = conflictKey(&c.Routes[i].Match)
		}
		c.source = s
	}
	return c, nil
}

// Unchanged tells how many routes at the beginning and at the end c has taken over from prev without a change: c.Routes[:head] are
// prev.Routes[:head], and the last tail ones those of prev. Both are 0 when c was not read after prev, or wholly.
func (c *Config) Unchanged(prev *Config) (head, tail int) {
	if c.source == nil || prev == nil || prev.source == nil || c.source.after != prev.source {
		return 0, 0
	}
	return c.source.head, c.source.tail
}

// fewRoutes is the number up to which all routes are simply read again.
const fewRoutes = 64

// manyChanged is how many routes may have changed for the others not to be read again.
const manyChanged = 256

// source is the text of a configuration, and where its routes stand in it.
type source struct {
	name, text string
	// starts of the lines on which the routes begin, in bytes.
	starts []int
	// keys by which routes are found to match the same requests.
	keys []string

	// after is what head and tail refer to; see Unchanged.
	after      *source
	head, tail int
}

// remembers tells whether c is of the kind that patch can follow: one file, whose routes stand for themselves.
func (c *Config) remembers(starts []int, text string) bool {
	n := len(c.Routes)
	if n <= fewRoutes || len(starts) != n || len(c.Include) > 0 {
		return false
	}
	return !strings.Contains(text[starts[0]:], "${")
}

// patch reads only what has changed since prev: it makes a short document of the routes that are new, with the unchanged one behind them as a
// witness that it is read as before, and of everything that is not routes. It returns nil when this is not possible, or when anything is wrong; then the whole text
// has to be read, which says what.
func patch(name, text string, prev *Config) *Config {
	if prev == nil || prev.source == nil || prev.source.name != name {
		return nil
	}
	was := prev.source
	n := len(was.starts)
	// Routes before head are the same: also the beginning of the one behind them is, so nothing was added to the last.
	same := commonStart(was.text, text)
	head, _ := slices.BinarySearch(was.starts, same)
	for head == n || was.starts[head]+indentOf(was.text[was.starts[head]:])+2 > same {
		if head--; head < 0 {
			return nil // what comes before the routes has changed
		}
	}
	// And so are those from tail on, in front of which the end of a line is the same.
	from := was.starts[head]
	back := commonEnd(was.text[from:], text[from:])
	tail, _ := slices.BinarySearch(was.starts, len(was.text)-back+1)
	shift := len(text) - len(was.text)
	short, witness := text[:was.starts[0]]+text[from:], -1
	move := from - was.starts[0] // from short to text
	if tail < n {
		end := routesEnd(was.text, was.starts[n-1])
		next := end
		if tail+1 < n {
			next = was.starts[tail+1]
		}
		witness = was.starts[tail] + shift - move
		short = text[:was.starts[0]] + text[from:next+shift] + was.text[end:]
	}
	c, starts, err := read(name, short, false)
	if err != nil || len(starts) != len(c.Routes) || len(starts) == 0 || len(starts) > manyChanged || len(c.Include) > 0 {
		return nil
	}
	middle := c.Routes
	if witness >= 0 {
		if starts[len(starts)-1] != witness {
			return nil // what follows is not read as it was before
		}
		middle = middle[:len(middle)-1]
	}
	next := &source{
		name: name, text: text, after: was, head: head, tail: n - tail,
		starts: make([]int, 0, head+len(middle)+n-tail), keys: make([]string, 0, head+len(middle)+n-tail),
	}
	next.starts = append(next.starts, was.starts[:head]...)
	for _, at := range starts[:len(middle)] {
		next.starts = append(next.starts, at+move)
	}
	for _, at := range was.starts[tail:] {
		next.starts = append(next.starts, at+shift)
	}
	next.keys = append(next.keys, was.keys[:head]...)
	for i := range middle {
		next.keys = append(next.keys, conflictKey(&middle[i].Match))
	}
	next.keys = append(next.keys, was.keys[tail:]...)
	if !fits(c, middle, prev, next) || strings.Contains(text[next.starts[0]:], "${") {
		return nil
	}
	routes := make([]Route, 0, len(next.keys))
	routes = append(routes, prev.Routes[:head]...)
	routes = append(routes, middle...)
	c.Routes = append(routes, prev.Routes[tail:]...)
	c.source = next
	return c
}

// fits tells whether the new routes and those of prev that stay can be together under the rest of c.
func fits(c *Config, middle []Route, prev *Config, next *source) bool {
	known := make(map[string]bool, len(c.Clusters))
	for i := range c.Clusters {
		known[c.Clusters[i].Name] = true
	}
	for i := range prev.Clusters {
		if !known[prev.Clusters[i].Name] {
			return false // a route may refer to it
		}
	}
	keys, names := make(map[string]bool, len(middle)), make(map[string]bool, len(middle))
	for i := range middle {
		keys[next.keys[next.head+i]], names[middle[i].Name] = true, true
	}
	tail := len(prev.Routes) - next.tail
	for i := range prev.Routes {
		if i >= next.head && i < tail {
			continue
		}
		key := i
		if i >= tail {
			key = i - tail + next.head + len(middle)
		}
		r := &prev.Routes[i]
		if len(middle) > 0 && (keys[next.keys[key]] || names[r.Name]) || r.Respond != nil && r.Respond.File != "" {
			return false // they may be in each other's way; a file may have changed
		}
	}
	return true
}

// routesEnd is where the list ends whose last item begins at start: at the next line that is indented less, or no further and without a dash.
func routesEnd(text string, start int) int {
	indent := indentOf(text[start:])
	for at := start; ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
		line := text[at:]
		if k := indentOf(line); k <= indent && k < len(line) && line[k] != '\n' && line[k] != '#' {
			return at
		}
	}
}

func indentOf(line string) int {
	i := 0
	for i < len(line) && line[i] == ' ' {
		i++
	}
	return i
}

// compareBlock is how much of two texts is compared at a time.
const compareBlock = 4096

func commonStart(a, b string) int {
	n, i := min(len(a), len(b)), 0
	for i+compareBlock <= n && a[i:i+compareBlock] == b[i:i+compareBlock] {
		i += compareBlock
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonEnd(a, b string) int {
	n, i := min(len(a), len(b)), 0
	for i+compareBlock <= n && a[len(a)-i-compareBlock:len(a)-i] == b[len(b)-i-compareBlock:len(b)-i] {
		i += compareBlock
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}
