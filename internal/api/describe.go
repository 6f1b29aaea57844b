package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

// The description of all routes. The JSON is made from the YAML by a test
// (make golden).
var (
	//go:embed openapi.yaml
	openAPIYAML []byte
	//go:embed openapi.json
	openAPIJSON []byte
	//go:embed docs.html
	docsHTML string
	//go:embed docs.css
	docsCSS string
)

func (a *API) getOpenAPIYAML(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "application/yaml", openAPIYAML)
}

func (a *API) getOpenAPIJSON(w http.ResponseWriter, _ *http.Request) error {
	return writeText(w, "application/json", openAPIJSON)
}

func writeText(w http.ResponseWriter, media string, body []byte) error {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// document is as much of the description as the page shows.
type document struct {
	Info  struct{ Title, Version, Summary, Description string }
	Paths map[string]struct {
		Get, Post, Put, Patch, Delete *operation
		Parameters                    []parameter // of each operation
	}
	Components struct {
		Schemas    map[string]json.RawMessage
		Parameters map[string]parameter
	}
}

type operation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Parameters                        []parameter
	RequestBody                       struct {
		Content map[string]struct{ Schema json.RawMessage }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema json.RawMessage }
	}
}

type parameter struct {
	Ref                   string `json:"$ref"`
	Name, In, Description string
	Required              bool
}

// A route is an operation in its place on the page.
type route struct {
	Method, Path string
	operation
}

// getDocs shows the description as a page that loads nothing from elsewhere.
func (a *API) getDocs(w http.ResponseWriter, _ *http.Request) error {
	var d document
	if err := json.Unmarshal(openAPIJSON, &d); err != nil {
		return fmt.Errorf("read the description: %w", err)
	}
	page, err := template.New("docs").Funcs(template.FuncMap{"schema": schemaText}).Parse(docsHTML)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	var body bytes.Buffer
	err = page.Execute(&body, map[string]any{"Info": d.Info, "Routes": d.routes(), "Schemas": d.Components.Schemas, "CSS": template.CSS(docsCSS)}) //nolint:gosec // our own style
	if err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	sum := sha256.Sum256([]byte(docsCSS))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	return writeText(w, "text/html; charset=utf-8", body.Bytes())
}

// routes are the operations in order of their paths, parameters resolved.
func (d *document) routes() []route {
	var all []route
	for path, item := range d.Paths {
		for method, op := range map[string]*operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op == nil {
				continue
			}
			for i, p := range op.Parameters {
				if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
					op.Parameters[i] = d.Components.Parameters[name]
				}
			}
			for _, p := range item.Parameters {
				if !slices.ContainsFunc(op.Parameters, func(own parameter) bool { return own.Name == p.Name }) {
					op.Parameters = append(op.Parameters, p)
				}
			}
			all = append(all, route{method, path, *op})
		}
	}
	slices.SortFunc(all, func(x, y route) int { return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Method, y.Method)) })
	return all
}

// schemaText is a schema for people: its JSON, indented.
func schemaText(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}
