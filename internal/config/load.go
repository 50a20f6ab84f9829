package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Setting is one key with its value as text and where that came from.
type Setting struct {
	Key, Env, Flag, Doc string
	Value               string // secrets are masked
	Origin              string // "default", the file's name, the variable, or the flag
}

// Loaded is a checked configuration that knows where each value came from.
type Loaded struct {
	Config
	origin map[string]string
}

// Load fills a Config: defaults, then the YAML file (none when file is ""), then the environment, then flags (by flag name). Unknown keys,
// variables and flags, and values that do not fit, are errors that name the place.
func Load(file string, environ []string, flags map[string]string) (*Loaded, error) {
	l := &Loaded{Config: Default(), origin: map[string]string{}}
	fields := l.fields()
	if file != "" {
		if err := l.readFile(fields, file); err != nil {
			return nil, err
		}
	}
	if err := l.readEnv(fields, environ); err != nil {
		return nil, err
	}
	for name, value := range flags {
		f, ok := find(fields, func(f field) bool { return f.flag == name })
		if !ok {
			return nil, fmt.Errorf("unknown flag --%s", name)
		}
		if err := l.set(f, value, "--"+name); err != nil {
			return nil, err
		}
	}
	return l, l.Check()
}

// Settings lists every key in order, for `parley config print`.
func (l *Loaded) Settings() []Setting {
	var out []Setting
	for _, f := range l.fields() {
		s := Setting{Key: f.key, Env: f.env(), Flag: f.flag, Doc: f.doc, Value: text(f.value), Origin: l.origin[f.key]}
		if s.Origin == "" {
			s.Origin = "default"
		}
		if f.secret && s.Value != "" {
			s.Value = "********"
		}
		out = append(out, s)
	}
	return out
}

// Change is a setting that is another one now.
type Change struct {
	Key, From, To string // secrets are masked
	Live          bool   // it can be had without a restart
}

// Changes lists what next has otherwise.
func (l *Loaded) Changes(next *Loaded) []Change {
	var out []Change
	was, is := l.Settings(), next.Settings()
	now := next.fields()
	for i, f := range l.fields() {
		if text(f.value) != text(now[i].value) {
			out = append(out, Change{Key: f.key, From: was[i].Value, To: is[i].Value, Live: f.live})
		}
	}
	return out
}

// field is one setting of a Config with its tags.
type field struct {
	key, flag, doc string
	secret, live   bool
	value          reflect.Value
}

// env is the setting's variable, for example PARLEY_MEDIA_IP.
func (f field) env() string {
	return "PARLEY_" + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
}

// fields lists the settings of a Config in the order of its declaration.
func (c *Config) fields() []field {
	return collect(reflect.ValueOf(c).Elem(), nil)
}

func collect(v reflect.Value, out []field) []field {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if key := tag.Get("key"); key != "" {
			out = append(out, field{key, tag.Get("flag"), tag.Get("doc"), tag.Get("secret") == "true", tag.Get("live") == "true", v.Field(i)})
		} else {
			out = collect(v.Field(i), out)
		}
	}
	return out
}

// durations returns every duration by key.
func (c *Config) durations() map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, f := range c.fields() {
		if d, ok := f.value.Interface().(time.Duration); ok {
			out[f.key] = d
		}
	}
	return out
}

func find(fields []field, is func(field) bool) (field, bool) {
	for _, f := range fields {
		if is(f) {
			return f, true
		}
	}
	return field{}, false
}

func (l *Loaded) readFile(fields []field, file string) error {
	r, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer r.Close()
	var tree map[string]any
	if err := yaml.NewDecoder(r).Decode(&tree); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read configuration %s: %w", file, err)
	}
	flat := map[string]string{}
	if err := flatten("", tree, flat); err != nil {
		return fmt.Errorf("configuration %s: %w", file, err)
	}
	keys := make([]string, 0, len(flat))
	for key := range flat {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		f, ok := find(fields, func(f field) bool { return f.key == key })
		if !ok {
			return fmt.Errorf("configuration %s: unknown key %q: 'parley config print' lists the keys", file, key)
		}
		if err := l.set(f, flat[key], file); err != nil {
			return err
		}
	}
	return nil
}

// flatten turns nested YAML maps into dotted keys and lists into comma-separated text.
func flatten(prefix string, tree map[string]any, out map[string]string) error {
	for key, value := range tree {
		switch v := value.(type) {
		case map[string]any:
			if err := flatten(prefix+key+".", v, out); err != nil {
				return err
			}
		case []any:
			parts := make([]string, len(v))
			for i, x := range v {
				parts[i] = fmt.Sprint(x)
			}
			out[prefix+key] = strings.Join(parts, ",")
		case nil:
			return fmt.Errorf("key %q has no value", prefix+key)
		default:
			out[prefix+key] = fmt.Sprint(v)
		}
	}
	return nil
}

func (l *Loaded) readEnv(fields []field, environ []string) error {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "PARLEY_") || value == "" || name == "PARLEY_SERVER" {
			continue // the last names the server that the commands ask
		}
		f, ok := find(fields, func(f field) bool { return f.env() == name })
		if !ok {
			return fmt.Errorf("unknown variable %s: 'parley config print' lists the settings", name)
		}
		if err := l.set(f, value, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loaded) set(f field, value, origin string) error {
	if err := parse(f.value, value); err != nil {
		return fmt.Errorf("%s: %w", origin, invalid(f.key, value, err.Error()))
	}
	l.origin[f.key] = origin
	return nil
}

// parse sets v from text.
func parse(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("want true or false")
		}
		*p = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("want a whole number")
		}
		*p = n
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("want a number")
		}
		*p = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("want a time with a unit, for example 30s or 24h")
		}
		*p = d
	case *[]time.Duration:
		return parseList(p, text, time.ParseDuration)
	case *[]string:
		return parseList(p, text, func(s string) (string, error) { return s, nil })
	default:
		return fmt.Errorf("settings of type %s are not supported", v.Type())
	}
	return nil
}

func parseList[T any](to *[]T, text string, one func(string) (T, error)) error {
	*to = nil
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		x, err := one(part)
		if err != nil {
			return err
		}
		*to = append(*to, x)
	}
	return nil
}

// text is the inverse of parse.
func text(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v.Interface())
}
