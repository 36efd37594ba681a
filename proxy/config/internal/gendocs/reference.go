package main

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/blitz-gateway/blitz/proxy/config"
)

const preface = `# Configuration reference

<!-- Generated from the comments in proxy/config/config*.go by ` + "`go generate ./proxy/config`" + `. Do not edit. -->

` + "`blitz serve --config FILE`" + ` reads one YAML file. It is read strictly: an unknown key, a value of the wrong kind and a reference to something that is
not there are errors, and all of them are shown at once, each as ` + "`file:line:column: what is wrong; what was expected`" + `. ` + "`blitz validate FILE`" + ` checks a
file without starting anything; ` + "`--full`" + ` has it read certificates and keys and look up names as well, as ` + "`serve`" + ` does. ` + "[config.schema.json](config.schema.json)" + ` is the same as a JSON schema, for editors. The files under ` + "[examples](../examples)" + ` are a good start.

Durations have a unit: ` + "`250us`, `5s`, `1m30s`" + `. So have sizes: ` + "`512B`, `16KiB` (1024), `1MB` (1000 × 1000)" + `; a size without unit is in bytes.
Relative paths of files that are read as a part of the configuration (` + "`include`, `${file:…}`, `respond.file`" + `) start at the folder of the file that names them; those of all others
(certificates and keys, lists of endpoints, the access log) at the folder in which the gateway was started.
A value may refer to something outside of the file: ` + "`${NAME}`" + ` is an environment variable, ` + "`${NAME:-default}`" + ` has a default for one that is not set, ` + "`${file:path}`" + ` is
the content of a file; ` + "`$${`" + ` is a plain ` + "`${`" + `. This works in strings, durations and sizes, not in keys, numbers, ` + "`true`" + ` and
` + "`false`" + `. Messages, default names of routes and what the admin listener shows of the configuration have the reference, never the value.
Anchors and aliases of YAML (` + "`&name`, `*name`" + `) work; tags, merge keys and several documents in one file do not.
`

// makeReference renders docs/CONFIG.md.
func makeReference(c comments) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(preface)
	root := new(config.Config)
	config.SetDefaults(root)
	section(&b, c, "", reflect.ValueOf(root).Elem())
	return b.Bytes(), nil
}

// section writes one struct and, after it, the structs inside of it.
func section(b *bytes.Buffer, c comments, path string, v reflect.Value) {
	t := v.Type()
	title := path
	if title == "" {
		title = "The whole file"
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n", title, c.typeText(t.Name()))
	type inner struct {
		path string
		v    reflect.Value
	}
	var below []inner
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("later") == "true" || !f.IsExported() {
			continue
		}
		key := f.Tag.Get("yaml")
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, valueText(f), defaultText(f, v.Field(i)), strings.ReplaceAll(c[t.Name()+"."+f.Name], "|", `\|`))
		next := strings.TrimPrefix(path+"."+key, ".")
		switch e := f.Type; {
		case e.Kind() == reflect.Struct:
			below = append(below, inner{next, v.Field(i)})
		case e.Kind() == reflect.Pointer:
			below = append(below, inner{next, fresh(e.Elem())})
		case e.Kind() == reflect.Slice && item(e).Kind() == reflect.Struct && e != reflect.TypeFor[config.Headers]():
			below = append(below, inner{next + "[]", fresh(item(e))})
		}
	}
	if later := laterText(t); later != "" {
		fmt.Fprintf(b, "\nKnown, but refused by this version: %s.\n", later)
	}
	for _, s := range below {
		section(b, c, s.path, s.v)
	}
}

// item is what a list has, itself or by pointers.
func item(list reflect.Type) reflect.Type {
	t := list.Elem()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// fresh is a new struct with its defaults.
func fresh(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	config.SetDefaults(p.Interface())
	return p.Elem()
}

// valueText says what kind of value a field takes.
func valueText(f reflect.StructField) string {
	text := kindText(f.Type)
	if enum := f.Tag.Get("enum"); enum != "" {
		text = "`" + strings.ReplaceAll(enum, ",", "`, `") + "`"
		if f.Type.Kind() == reflect.Slice {
			text = "list of " + text
		}
	}
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	switch {
	case low != "" && high != "":
		text += ", " + low + " to " + high
	case high != "":
		text += ", at most " + high
	}
	return text
}

func kindText(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[config.Duration]():
		return "duration"
	case reflect.TypeFor[config.Size]():
		return "size"
	case reflect.TypeFor[config.Count]():
		return "number or `auto`"
	case reflect.TypeFor[config.Fraction]():
		return "number from 0 to 1"
	case reflect.TypeFor[config.CPUs]():
		return "CPU list"
	case reflect.TypeFor[config.Headers]():
		return "mapping of strings"
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Pointer:
		return "mapping"
	case reflect.Slice:
		if item(t).Kind() == reflect.Struct {
			return "list of mappings"
		}
		return "list of " + kindText(t.Elem()) + "s"
	case reflect.Bool:
		return "`true`, `false`"
	case reflect.Int:
		return "number"
	}
	return "string"
}

func defaultText(f reflect.StructField, v reflect.Value) string {
	if f.Tag.Get("required") == "true" {
		return "required"
	}
	switch x := v.Interface().(type) {
	case []string:
		if len(x) == 0 {
			return ""
		}
		return "`[" + strings.Join(x, ", ") + "]`"
	case []int:
		if len(x) == 0 {
			return ""
		}
		return "`" + strings.ReplaceAll(fmt.Sprint(x), " ", ", ") + "`"
	case config.CPUs:
		return ""
	case config.Duration:
		// Where zero is not allowed it stands for "not given".
		if x == 0 && f.Tag.Get("min") != "0s" {
			return ""
		}
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic(err) // the encoders of package config cannot fail
		}
		return "`" + string(text) + "`"
	}
	switch v.Kind() {
	case reflect.String:
		if v.Len() == 0 {
			return ""
		}
		return "`" + v.String() + "`"
	case reflect.Int, reflect.Bool:
		return fmt.Sprintf("`%v`", v.Interface())
	}
	return ""
}

// laterText lists keys and words that are reserved.
func laterText(t reflect.Type) string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		switch later := f.Tag.Get("later"); later {
		case "":
		case "true":
			out = append(out, "`"+f.Tag.Get("yaml")+"`")
		default:
			out = append(out, "`"+f.Tag.Get("yaml")+"`: `"+strings.ReplaceAll(later, ",", "`, `")+"`")
		}
	}
	return strings.Join(out, "; ")
}
