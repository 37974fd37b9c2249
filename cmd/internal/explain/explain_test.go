package explain

import (
	"slices"
	"strings"
	"testing"

	"github.com/rampload/rampload/report/diagnose/causes"
)

// Every key that a report can name has a page, and every page is of such a key.
func TestEveryKeyHasAPage(t *testing.T) {
	keys := append(causes.Keys(), "healthy", "unexplained", "generator-limited")
	for _, key := range keys {
		page, ok := Page(key)
		if !ok {
			t.Errorf("%s has no page: write cmd/internal/explain/pages/%s.md", key, key)
			continue
		}
		if !strings.HasPrefix(page, "# "+key+"\n\n") {
			t.Errorf("%s: the page begins with %.30q", key, page)
		}
		for _, part := range []string{"What it looks like", "How it is proven", "What to do", "Not to be taken for"} {
			if strings.Count(page, "\n## "+part+"\n\n") != 1 {
				t.Errorf("%s: %q is missing", key, part)
			}
		}
		for line := range strings.Lines(page) {
			if len([]rune(line)) > 80 {
				t.Errorf("%s: a line of %d characters", key, len([]rune(line))-1)
			}
		}
	}
	for _, topic := range Topics() {
		if !slices.Contains(keys, topic.Key) {
			t.Errorf("the page %s is of no cause", topic.Key)
		}
		if !strings.HasSuffix(topic.Says, ".") || len(topic.Says) < 15 {
			t.Errorf("%s: the first sentence is %q", topic.Key, topic.Says)
		}
	}
}

// What a page refers to as a key is one.
func TestPagesNameKeys(t *testing.T) {
	for _, topic := range Topics() {
		page, _ := Page(topic.Key)
		_, refers, _ := strings.Cut(page, "## Not to be taken for")
		parts := strings.Split(refers, "`")
		for i := 1; i < len(parts); i += 2 {
			if _, ok := Page(parts[i]); !ok && parts[i] != "degraded" {
				t.Errorf("%s refers to %s, which has no page", topic.Key, parts[i])
			}
		}
	}
}

func TestInnerHop(t *testing.T) {
	for _, key := range []string{"upstream-file-descriptors", "upstream-process-crash"} {
		if page, ok := Page(key); !ok || !strings.Contains(page, "behind the first") {
			t.Errorf("%s: %v %q", key, ok, page)
		}
	}
	for _, key := range []string{"upstream-", "nonsense", "../explain", ""} {
		if _, ok := Page(key); ok {
			t.Errorf("%q has a page", key)
		}
	}
}

func TestNearest(t *testing.T) {
	if got := Nearest("server-fd"); len(got) == 0 {
		t.Error("nothing near server-fd")
	}
	if got := Nearest("descriptors"); len(got) < 3 || !strings.HasSuffix(got[0], "descriptors") {
		t.Errorf("near descriptors: %v", got)
	}
}
