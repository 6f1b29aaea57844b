package server

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what people see who open the server in a browser: what it is, and
// how to send the first report. It shows nothing that was stored.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) error {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Example, Version string
		Style            template.CSS
	}{s.Example(), s.c.Version, template.CSS(pageStyle)}) //nolint:gosec // a file of ours
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	style := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(style[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = b.WriteTo(w) // the reader is gone, and nothing depends on it
	return nil
}
