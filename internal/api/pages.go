package api

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"gopkg.in/yaml.v3"

	"parley"
	"parley/internal/api/web"
	"parley/internal/fault"
)

// pages are the routes outside the version prefix; they need no credential.
func (d *Door) pages() (map[string]http.HandlerFunc, error) {
	description, err := describe(parley.OpenAPI)
	if err != nil {
		return nil, err
	}
	refusals := listRefusals(string(parley.Errors))
	return map[string]http.HandlerFunc{
		"GET /openapi.json":    static(web.JSON, description),
		"GET /openapi.yaml":    static("application/yaml; charset=utf-8", parley.OpenAPI),
		"GET /errors/{reason}": explain(refusals),
		"POST /auth/login":     d.login.Login,
		"GET /links":           d.linked,
		"GET /ping":            static(web.JSON, []byte("{\"message\":\"pong\"}\n")),
	}, nil
}

// describe turns the description into JSON.
func describe(text []byte) ([]byte, error) {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	out, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("write openapi.json: %w", err)
	}
	return out, nil
}

func static(media string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		web.Write(w, http.StatusOK, media, body)
	}
}

// refusal is a line of docs/errors.md.
type refusal struct{ Reason, Status, Meaning, Advice string }

// listRefusals reads the tables of docs/errors.md: | `REASON` | status | what happened | what to do |.
func listRefusals(text string) map[string]refusal {
	list := map[string]refusal{}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if reason := strings.Trim(cells[0], "`"); reason != cells[0] {
			list[reason] = refusal{reason, cells[1], cells[2], cells[3]}
		}
	}
	return list
}

var refusalPage = template.Must(template.New("refusal").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Reason}}</title>
<h1>{{.Reason}}</h1>
<p>HTTP status {{.Status}}. {{.Meaning}}</p>
<p>{{.Advice}}</p>
</html>
`))

// explain is the page that the type of a refusal points to.
func explain(refusals map[string]refusal) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		known, ok := refusals[r.PathValue("reason")]
		if !ok {
			web.Refuse(w, r, fault.New(fault.NotFound, "RESOURCE_NOT_FOUND", "there is no such reason"))
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		_ = refusalPage.Execute(w, known) // a client that is gone is no error of ours
	}
}
