package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed static tmpl
var files embed.FS

// assets are the files that pages load. Their address holds a hash of them
// all, so that a browser may keep them for ever, and a module finds another
// one beside itself.
type assets struct {
	hash  string
	files map[string]asset
}

type asset struct {
	kind          string
	plain, packed []byte
}

func newAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	hash := sha256.New()
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		packed, err := pack(text)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "static/")
		_, _ = fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
		a.files[name] = asset{mime.TypeByExtension(path.Ext(name)), text, packed}
		return nil
	})
	a.hash = base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:9])
	return a, err
}

// href is where a page finds the file.
func (a *assets) href(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("there is no file %s", name)
	}
	return "/assets/" + a.hash + "/" + name, nil
}

// serve answers a request under /assets/. A page of an older server may ask
// for what there is no more: it gets today's, but may not keep it.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) bool {
	hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/assets/"), "/")
	file, ok := a.files[name]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if hash != a.hash {
		h.Set("Cache-Control", "no-store")
	}
	body := file.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = file.packed
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	return true
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64); err == nil && q == 0 {
			continue
		}
		if strings.EqualFold(name, "gzip") {
			return true
		}
	}
	return false
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// chartStyle is the part of the stylesheet that a picture needs which stands
// alone, with the light colours in place of their names.
func (a *assets) chartStyle() string {
	css := string(a.files["app.css"].plain)
	colours := map[string]string{}
	for _, m := range regexp.MustCompile(`(--[\w-]+): light-dark\(([^,]+),`).FindAllStringSubmatch(css, -1) {
		colours[m[1]] = m[2]
	}
	_, rest, _ := strings.Cut(css, "/* chart: from here */")
	rules, _, _ := strings.Cut(rest, "/* chart: to here */")
	rules = regexp.MustCompile(`var\((--[\w-]+)\)`).ReplaceAllStringFunc(rules, func(s string) string {
		return colours[s[len("var("):len(s)-1]]
	})
	return "svg{font-family:Inter,system-ui,sans-serif;font-variant-numeric:tabular-nums}.paper{fill:" + colours["--surface"] + "}text.head{font-size:15px;font-weight:640;fill:" + colours["--text"] + "}" + strings.TrimSpace(rules)
}
