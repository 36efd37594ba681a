package config

import (
	"reflect"
	"strings"
)

// What is read from a text refers to pieces of it, and any of them keeps the whole of it in memory. That is right for a configuration, which goes with
// its text, but some of it outlives the configuration: routes that the next one takes over, clusters, TLS and counters that the next snapshot does. Each would
// keep the text of another generation.

// detach gives c texts of its own, routes excepted: those are as many as the text is long.
func (c *Config) detach() {
	v := reflect.ValueOf(c).Elem()
	for i, routes := 0, reflect.ValueOf(&c.Routes); i < v.NumField(); i++ {
		if f := v.Field(i); f.CanSet() && f.Addr().Interface() != routes.Interface() {
			detach(f)
		}
	}
	for _, list := range [][]string{c.files.Names, c.files.Patterns} {
		for i := range list {
			list[i] = strings.Clone(list[i])
		}
	}
}

// detachRoutes is detach for routes.
func detachRoutes(list []*Route) { detach(reflect.ValueOf(list)) }

// detach puts copies in the place of all strings that v leads to; where they stand stays the same.
func detach(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() && v.Len() > 0 {
			v.SetString(strings.Clone(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			detach(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			detach(v.Field(i))
		}
	case reflect.Slice:
		switch v.Type().Elem().Kind() {
		case reflect.String, reflect.Pointer, reflect.Struct, reflect.Slice:
			for i := range v.Len() {
				detach(v.Index(i))
			}
		}
	}
}
