package render

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var reports = flag.String("reports", "", "write the reports of the samples to this folder")

// make browser draws these and looks at them.
func TestReports(t *testing.T) {
	if *reports == "" {
		return
	}
	for name, r := range samples() {
		f, err := os.Create(filepath.Join(*reports, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write(f); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
