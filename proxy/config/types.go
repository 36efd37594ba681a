package config

import (
	"reflect"
	"strings"
	"sync"
)

// typeInfo is what the decoder needs to know of a type, read from its tags once.
type typeInfo struct {
	kind reflect.Kind
	// scalar: the type has a notation of its own. headers: it is Headers.
	scalar, headers bool
	// Of a struct: all fields, the keys that this version supports, and the bits of the required fields.
	fields   []field
	keys     []string
	required uint64
}

// field is one field of a struct; bit i of a set stands for the i-th.
type field struct {
	key              string
	enum, laterWords []string
	// secret values are never shown.
	later, bounded, secret bool
	min, max               int64
	minText, maxText       string
}

var typeInfos sync.Map // reflect.Type → *typeInfo

func typeOf(t reflect.Type) *typeInfo {
	if i, ok := typeInfos.Load(t); ok {
		return i.(*typeInfo)
	}
	i, _ := typeInfos.LoadOrStore(t, readType(t))
	return i.(*typeInfo)
}

func readType(t reflect.Type) *typeInfo {
	info := &typeInfo{kind: t.Kind(), scalar: reflect.PointerTo(t).Implements(reflect.TypeFor[scalar]()), headers: t == reflect.TypeFor[Headers]()}
	if info.scalar || info.kind != reflect.Struct {
		return info
	}
	if t.NumField() > 64 {
		panic("config: more fields than a set has bits: " + t.String()) // every type is met by a test
	}
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		f := field{key: tag.Get("yaml"), minText: tag.Get("min"), maxText: tag.Get("max")}
		if e := tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
			f.laterWords = strings.Split(tag.Get("later"), ",")
		}
		f.secret = tag.Get("secret") == "true"
		f.later = tag.Get("later") == "true"
		if tag.Get("required") == "true" {
			info.required |= 1 << i
		}
		ft := t.Field(i).Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if f.minText != "" {
			f.bounded, f.min = true, tagValue(ft, f.minText)
		}
		if f.maxText != "" {
			f.bounded, f.max = true, tagValue(ft, f.maxText)
		}
		if !f.later && f.key != "" {
			info.keys = append(info.keys, f.key)
		}
		info.fields = append(info.fields, f)
	}
	return info
}

// find returns the position of the field with a key, -1 when there is none.
func (t *typeInfo) find(key string) int {
	for i := range t.fields {
		if t.fields[i].key == key && key != "" {
			return i
		}
	}
	return -1
}
