package config

import (
	"fmt"
	"reflect"
)

// ParseEndpoints reads a list of endpoints; name is the file name in messages. The error is always Errors.
func ParseEndpoints(name string, data []byte) ([]Endpoint, error) {
	root, _, err := readYAML(name, 0, string(data))
	if err != nil {
		return nil, err
	}
	d := &decoder{files: []string{name}, root: root, misspelt: map[*node]bool{}}
	var list EndpointList
	if resolve(root).kind != mapping {
		d.typeError(root, "a mapping with the key endpoints")
	} else {
		d.value(root, reflect.ValueOf(&list).Elem(), nil)
	}
	seen := map[string]bool{}
	for i, e := range list.Endpoints {
		if e.Address == "" {
			continue
		}
		a, err := ParseAddress(e.Address)
		_, isIP := a.IP()
		switch {
		case err != nil:
			d.report(fmt.Sprintf("%q is not an address", shorten(e.Address)), err.Error(), "endpoints", i, "address")
		case a.Unix == "" && (a.Host == "" || !isIP || a.Port == 0):
			d.report(fmt.Sprintf("%q is not an IP address with a port", shorten(e.Address)), "expected one, as in 10.0.0.1:8080", "endpoints", i, "address")
		case seen[e.Address]:
			d.report(fmt.Sprintf("endpoint %s is given twice", e.Address), "expected it once, with a larger weight if it shall get more", "endpoints", i, "address")
		}
		seen[e.Address] = true
	}
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return list.Endpoints, nil
}
