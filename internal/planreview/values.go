package planreview

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// What stands for values that are not there or not to be seen.
const (
	unknown   = "(known after apply)"
	sensitive = "(sensitive)"
)

// hole is such a value. It has a type of its own, so that no name or value can pass for one.
type hole string

// mask replaces sensitive and unknown values.
func mask(value, secret, later any) any {
	if secret == true {
		return hole(sensitive)
	}
	if later == true {
		return hole(unknown)
	}
	switch v := value.(type) {
	case map[string]any:
		masked := map[string]any{}
		for _, key := range keys(v, asMap(later)) {
			masked[key] = mask(v[key], child(secret, key), child(later, key))
		}
		return masked
	case []any:
		list, _ := later.([]any)
		masked := make([]any, max(len(v), len(list)))
		for i := range masked {
			masked[i] = mask(at(v, i), child(secret, i), child(later, i))
		}
		return masked
	case nil:
		switch l := later.(type) {
		case map[string]any:
			return mask(map[string]any{}, secret, l)
		case []any:
			if len(l) > 0 {
				return mask([]any{}, secret, l)
			}
		}
	}
	return value
}

func asMap(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}

func asList(value any) []any {
	l, _ := value.([]any)
	return l
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// child is the value below a key or an index; a mark on the whole is one on each part.
func child(value any, key any) any {
	switch v := value.(type) {
	case map[string]any:
		if k, ok := key.(string); ok {
			return v[k]
		}
	case []any:
		if i, ok := key.(int); ok {
			return at(v, i)
		}
	case bool:
		return v
	}
	return nil
}

func keys(all ...map[string]any) []string {
	set := map[string]bool{}
	for _, m := range all {
		for key := range m {
			set[key] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Attribute is one difference.
type Attribute struct {
	// Path is where in the resource, e.g. "container_definitions.orders.cpu".
	Path string
	// Before and After are as one would write them; empty where there is no value.
	Before, After string

	before, after any
	// again tells that a policy is put together during the apply and will say what it says now.
	again bool
}

// leaf is the last word of the path.
func (a Attribute) leaf() string {
	steps := strings.Split(a.Path, ".")
	for i := len(steps) - 1; i >= 0; i-- {
		if strings.Trim(steps[i], "0123456789") != "" {
			return steps[i]
		}
	}
	return a.Path
}

func (a Attribute) tag() bool {
	first, _, _ := strings.Cut(a.Path, ".")
	return first == "tags" || first == "tags_all"
}

// computed tells that the attribute merely is not known before the apply.
func (a Attribute) computed() bool { return a.after == hole(unknown) }

// side is a value with its marks, before or after.
type side struct{ value, secret, later any }

func (s side) at(key any) side {
	return side{child(s.value, key), child(s.secret, key), child(s.later, key)}
}

func (s side) masked() any { return mask(s.value, s.secret, s.later) }

type differ struct{ found []Attribute }

func (d *differ) add(path string, before, after any) {
	d.found = append(d.found, Attribute{Path: path, Before: show(before), After: show(after), before: before, after: after})
}

func (d *differ) walk(path string, before, after side) {
	switch {
	case before.secret == true || after.secret == true:
		if !reflect.DeepEqual(before.value, after.value) || after.later == true {
			d.add(path, hole(sensitive), hole(sensitive))
		}
		return
	case after.later == true:
		d.add(path, before.masked(), hole(unknown))
		return
	}
	b, a := before.value, after.value
	if isMap(b) && isMap(a) || isMap(b) && a == nil || b == nil && isMap(a) {
		for _, key := range keys(asMap(b), asMap(a), asMap(after.later)) {
			d.walk(join(path, key), before.at(key), after.at(key))
		}
		return
	}
	if isList(b) || isList(a) {
		if (b == nil || isList(b)) && (a == nil || isList(a)) {
			d.lists(path, before, after)
			return
		}
	}
	if reflect.DeepEqual(b, a) || empty(b) && empty(a) || b == false && a == nil || b == nil && a == false {
		return
	}
	if bd, ad := document(b), document(a); bd != nil && ad != nil {
		d.walk(path, side{value: bd}, side{value: ad})
		return
	}
	d.add(path, before.masked(), after.masked())
}

// lists compares by the elements' names where they have any, by position where there is one block, else as sets: the order
// of Terraform's sets means nothing.
func (d *differ) lists(path string, before, after side) {
	b, a := asList(before.value), asList(after.value)
	later := asList(after.later)
	bn, an := named(b), named(a)
	if bn != nil && an != nil && len(bn)+len(an) > 0 {
		for _, name := range keys(bn, an) {
			var from, to side
			if i, ok := bn[name]; ok {
				from = before.at(i)
			}
			if i, ok := an[name]; ok {
				to = after.at(i)
			}
			d.walk(join(path, name), from, to)
		}
		return
	}
	if n := max(len(b), len(a), len(later)); n == 1 && blocks(b) && blocks(a) {
		d.walk(join(path, "0"), before.at(0), after.at(0))
		return
	}
	mb, ma := asList(before.masked()), asList(after.masked())
	gone, come := minus(mb, ma), minus(ma, mb)
	if len(gone) == 0 && len(come) == 0 {
		if !reflect.DeepEqual(mb, ma) && ordered(path) {
			d.add(path, mb, ma)
		}
		return
	}
	if len(gone) == 1 && len(come) == 1 && len(mb) == 1 && len(ma) == 1 {
		d.add(path, gone[0], come[0])
		return
	}
	var from, to any
	if len(gone) > 0 {
		from = gone
	}
	if len(come) > 0 {
		to = come
	}
	d.add(path, from, to)
}

// ordered tells whether the order of a list's elements means something.
func ordered(path string) bool {
	return strings.HasSuffix(path, "command") || strings.HasSuffix(path, "entryPoint") || strings.HasSuffix(path, "entry_point")
}

func blocks(list []any) bool {
	return !slices.ContainsFunc(list, func(v any) bool { return !isMap(v) })
}

// named are the indices of a list's elements by their names, nil where one has none or two have the same.
func named(list []any) map[string]any {
	index := map[string]any{}
	for i, one := range list {
		m, ok := one.(map[string]any)
		if !ok {
			return nil
		}
		name := ""
		for _, key := range []string{"name", "Name", "Sid", "sid", "id", "rule_name", "key"} {
			if text, ok := m[key].(string); ok && text != "" {
				name = text
				break
			}
		}
		if _, twice := index[name]; twice || name == "" {
			return nil
		}
		index[name] = i
	}
	return index
}

func minus(a, b []any) []any {
	count := map[string]int{}
	for _, v := range b {
		count[encode(v)]++
	}
	var rest []any
	for _, v := range a {
		if key := encode(v); count[key] > 0 {
			count[key]--
		} else {
			rest = append(rest, v)
		}
	}
	return rest
}

func isMap(v any) bool { _, ok := v.(map[string]any); return ok }

func isList(v any) bool { _, ok := v.([]any); return ok }

// empty tells whether a value says no more than none does.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// document is the object or list that a string holds as JSON, nil where it holds none.
func document(v any) any {
	text, ok := v.(string)
	if !ok || len(text) < 2 || text[0] != '{' && text[0] != '[' {
		return nil
	}
	var doc any
	if json.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	return doc
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func encode(v any) string {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(text.String())
}

// show writes a value the way one would read it; strings go without quotes.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if v == "" {
			return `""`
		}
		return v
	case hole:
		return string(v)
	}
	return encode(v)
}

// text is a value as a string; a hole and everything else but a string is none.
func text(v any) string {
	s, _ := v.(string)
	return s
}
