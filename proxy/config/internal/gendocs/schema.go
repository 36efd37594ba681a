package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/invopop/jsonschema"
)

// Patterns of the notations of package config.
const (
	referenced      = `|^.*\$\{.*$`
	durationPattern = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$` + referenced
	sizePattern     = `^[0-9]+ *(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$` + referenced
	cpusPattern     = `^[0-9]+(-[0-9]+)?(, *[0-9]+(-[0-9]+)?)*$` + referenced
)

// makeSchema renders docs/config.schema.json: the structs by reflection, then what only their tags and comments know.
func makeSchema(c comments) ([]byte, error) {
	r := jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, Mapper: scalarSchema}
	s := r.Reflect(&config.Config{})
	s.Title = "Configuration of blitz"
	for _, t := range structs(reflect.TypeFor[config.Config]()) {
		d := s.Definitions[t.Name()]
		if d == nil {
			return nil, fmt.Errorf("no definition of %s", t.Name())
		}
		d.Description = c.typeText(t.Name())
		for i := range t.NumField() {
			if !t.Field(i).IsExported() {
				continue
			}
			if err := refine(d, t.Field(i), c[t.Name()+"."+t.Field(i).Name]); err != nil {
				return nil, err
			}
		}
	}
	// Exactly one action.
	for _, key := range []string{"cluster", "split", "redirect", "respond", "echo"} {
		s.Definitions["Route"].OneOf = append(s.Definitions["Route"].OneOf, &jsonschema.Schema{Required: []string{key}})
	}
	if echo, ok := s.Definitions["Route"].Properties.Get("echo"); ok {
		echo.Const = true
	}
	out, err := json.MarshalIndent(s, "", "  ")
	return append(out, '\n'), err
}

// scalarSchema describes the types with a notation of their own.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	zero := json.Number("0")
	switch t {
	case reflect.TypeFor[config.Duration]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: durationPattern}, {Const: 0}}}
	case reflect.TypeFor[config.Size]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: sizePattern}, {Type: "integer", Minimum: zero}}}
	case reflect.TypeFor[config.Count]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Const: "auto"}, {Type: "integer", Minimum: "1"}}}
	case reflect.TypeFor[config.Fraction]():
		return &jsonschema.Schema{Type: "number", Minimum: zero, Maximum: json.Number("1")}
	case reflect.TypeFor[config.CPUs]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Pattern: cpusPattern}, {Type: "integer", Minimum: zero}}}
	case reflect.TypeFor[config.Headers]():
		return &jsonschema.Schema{Type: "object", AdditionalProperties: &jsonschema.Schema{Type: "string"}}
	}
	return nil
}

// refine adds the tags and the comment of a field to its property.
func refine(d *jsonschema.Schema, f reflect.StructField, comment string) error {
	key := f.Tag.Get("yaml")
	if f.Tag.Get("later") == "true" {
		d.Properties.Delete(key)
		return nil
	}
	p, ok := d.Properties.Get(key)
	if !ok {
		return fmt.Errorf("no property %s", key)
	}
	p.Description = comment
	values := p
	if f.Type.Kind() == reflect.Slice && p.Items != nil {
		values = p.Items
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		for word := range strings.SplitSeq(enum, ",") {
			values.Enum = append(values.Enum, word)
		}
	}
	if f.Tag.Get("required") == "true" {
		one := uint64(1)
		d.Required = append(d.Required, key)
		if f.Type.Kind() == reflect.Slice {
			p.MinItems = &one
		} else {
			p.MinLength = &one
		}
	}
	// Bounds of durations and sizes are beyond a schema.
	if f.Type.Kind() == reflect.Int && p.Type == "integer" {
		for tag, to := range map[string]*json.Number{"min": &p.Minimum, "max": &p.Maximum} {
			if s := f.Tag.Get(tag); s != "" {
				if _, err := strconv.Atoi(s); err != nil {
					return err
				}
				*to = json.Number(s)
			}
		}
	}
	return nil
}

// structs lists a struct type and all those inside of it, each once.
func structs(t reflect.Type) []reflect.Type {
	switch {
	case scalarSchema(t) != nil:
		return nil
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice:
		return structs(t.Elem())
	case t.Kind() != reflect.Struct || t.Name() == "":
		return nil
	}
	out := []reflect.Type{t}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			continue // not part of the file, and it may lead back
		}
		for _, inner := range structs(t.Field(i).Type) {
			if !slices.Contains(out, inner) {
				out = append(out, inner)
			}
		}
	}
	return out
}
