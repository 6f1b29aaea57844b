package deploy_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A dockerfile is its stages, each a list of instructions.
type dockerfile [][]instruction

type instruction struct{ word, rest string }

func readDockerfile(t *testing.T) dockerfile {
	t.Helper()
	var d dockerfile
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(readFile(t, "deploy/Dockerfile"), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" {
			continue
		}
		if word == "FROM" {
			d = append(d, nil)
		}
		if len(d) == 0 {
			t.Fatalf("%s comes before FROM", word)
		}
		d[len(d)-1] = append(d[len(d)-1], instruction{word, strings.Join(strings.Fields(rest), " ")})
	}
	return d
}

// last is the last such instruction of the image, empty without one.
func (d dockerfile) last(word string) string {
	found := ""
	for _, in := range d[len(d)-1] {
		if in.word == word {
			found = in.rest
		}
	}
	return found
}

// all are the arguments of every such instruction of the build or image stage.
func all(stage []instruction, word string) []string {
	var found []string
	for _, in := range stage {
		if in.word == word {
			found = append(found, in.rest)
		}
	}
	return found
}

func TestImageHoldsTheProgramAlone(t *testing.T) {
	t.Parallel()
	d := readDockerfile(t)
	if len(d) != 2 || d.last("FROM") != "scratch" {
		t.Fatalf("%d stages, the last from %q; want a build and an image from scratch", len(d), d.last("FROM"))
	}
	if user := d.last("USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("it runs as %q, want a number that is not root: there is no /etc/passwd, and clusters check it", user)
	}
	for word, want := range map[string][]string{
		"ENTRYPOINT": {"pipeline-metrics-collector"}, "CMD": {"serve"}, "HEALTHCHECK": {"pipeline-metrics-collector", "healthcheck"},
	} {
		form := d.last(word) // HEALTHCHECK has flags before it
		form = form[max(strings.Index(form, "["), 0):]
		var got []string
		if err := json.Unmarshal([]byte(form), &got); err != nil {
			t.Errorf("%s needs a shell, and there is none: %q", word, d.last(word))
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", word, diff)
		}
	}
	if run := all(d[1], "RUN"); len(run) > 0 {
		t.Errorf("the image has no shell to RUN %q", run)
	}
	copied := strings.Join(all(d[1], "COPY"), "\n")
	for _, want := range []string{" /etc/ssl/certs/ca-certificates.crt", " /usr/local/bin/pipeline-metrics-collector", " /data"} {
		if !strings.Contains(copied, want) {
			t.Errorf("nothing is copied to%s:\n%s", want, copied)
		}
	}
	if !strings.Contains(d.last("ENV"), "PATH=/usr/local/bin") {
		t.Errorf("the program is not on the PATH: %s", d.last("ENV"))
	}
}

func TestImageIsBuiltWithOurGo(t *testing.T) {
	t.Parallel()
	build := readDockerfile(t)[0]
	image, _, _ := strings.Cut(all(build, "FROM")[0], " ")
	if !pinned.MatchString(image) {
		t.Errorf("the image %q names no release", image)
	}
	need := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readFile(t, "go.mod"))[1]
	if !strings.HasPrefix(image, "golang:"+need+".") {
		t.Errorf("it is built with %s, go.mod wants go %s", image, need)
	}
	run := strings.Join(all(build, "RUN"), "\n")
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "./cmd/pipeline-metrics-collector"} {
		if !strings.Contains(run, flag) {
			t.Errorf("it is built without %s:\n%s", flag, run)
		}
	}
}
