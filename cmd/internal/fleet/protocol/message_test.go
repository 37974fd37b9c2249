package protocol

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rampload/rampload/profiles"
)

// isFile are the fields of a profile that name a file, or a folder.
var isFile = regexp.MustCompile(`File$|^Creds$|^CA$|^Protos?$|^ProtoPaths$`)

// Whatever an order calls a file, none of the worker's own is opened: it is either left
// out, or it must have been sent along.
func TestNoFileOfTheWorkers(t *testing.T) {
	const secret = "/etc/shadow"
	found := 0
	// whole returns a profile in which every list has one entry, and the places of files.
	var fill func(v reflect.Value, path string, visit func(path string, v reflect.Value))
	fill = func(v reflect.Value, path string, visit func(string, reflect.Value)) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if !f.IsExported() {
					continue
				}
				if isFile.MatchString(f.Name) {
					visit(path+"."+f.Name, v.Field(i))
					continue
				}
				fill(v.Field(i), path+"."+f.Name, visit)
			}
		case reflect.Slice:
			if e := v.Type().Elem().Kind(); e == reflect.Struct {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
				fill(v.Index(0), path+"[0]", visit)
			}
		}
	}
	var places []string
	fill(reflect.ValueOf(&profiles.Profile{}).Elem(), "", func(path string, _ reflect.Value) { places = append(places, path) })
	for _, place := range places {
		var a Assignment
		a.Of = 1
		fill(reflect.ValueOf(&a.Profile).Elem(), "", func(path string, v reflect.Value) {
			switch {
			case path != place:
			case v.Kind() == reflect.String:
				v.SetString(secret)
			case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
				v.Set(reflect.ValueOf([]string{secret}))
			default:
				t.Fatalf("%s is neither a name nor names", place)
			}
		})
		err := a.Check()
		if err == nil {
			err = a.Unpack(t.TempDir())
		}
		left := false
		walk(reflect.ValueOf(a.Profile), func(path, text string) {
			if text == secret && !inert[path] {
				left = true
			}
		})
		if err == nil && left {
			t.Errorf("a worker would open the file that %s names", place)
		}
		if err != nil && strings.Contains(err.Error(), "was not sent along") {
			found++
		}
	}
	if found < 8 {
		t.Errorf("only %d of %d files are refused: %v", found, len(places), places)
	}
}

// inert are names that nobody opens who sends: their content is in the profile.
var inert = map[string]bool{
	".Targets[].File": true, ".Data[].File": true, // as Read and Rows
	".Targets[].GRPC.ProtoPaths[]": true, ".Journeys[].GRPC.ProtoPaths[]": true, // folders of Protos
	".Journeys[].GRPC.Protos[]": true, // its targets have them
}

func walk(v reflect.Value, visit func(path, text string)) {
	var into func(v reflect.Value, path string)
	into = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			visit(path, v.String())
		case reflect.Struct:
			for i := range v.NumField() {
				into(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case reflect.Slice:
			for i := range v.Len() {
				into(v.Index(i), path+"[]")
			}
		}
	}
	into(v, "")
}

// A field more, wherever it is, is another protocol.
func TestSpokenFollowsTheShape(t *testing.T) {
	if Spoken(true) == Spoken(false) {
		t.Errorf("workers %s, agents %s", Spoken(true), Spoken(false))
	}
	type inner struct{ A int }
	type more struct{ A, B int }
	of := func(x any) string {
		var b strings.Builder
		shape(&b, reflect.TypeOf(x), map[reflect.Type]bool{})
		return b.String()
	}
	if of(struct{ X []inner }{}) == of(struct{ X []more }{}) || of(map[string]inner{}) == of(map[string]more{}) {
		t.Error("a field more is not seen")
	}
}

// An order that names steps of journeys that are not there is refused, and ends no
// worker.
func TestCheckRefusesJourneys(t *testing.T) {
	for name, target := range map[string]profiles.Target{
		"no journey":  {Name: "a", Journey: 1},
		"negative":    {Name: "a", Journey: -1},
		"no step":     {Name: "a", Journey: 1, Step: 3, Requests: make([]profiles.Request, 1)},
		"no requests": {Name: "a", Journey: 1},
		"files":       {Name: "a", GRPC: profiles.GRPC{Protos: []string{"/etc/shadow"}}},
	} {
		a := Assignment{Of: 1, Profile: profiles.Profile{Targets: []profiles.Target{target}}}
		if name == "no step" || name == "no requests" {
			a.Profile.Journeys = []profiles.Journey{{Steps: make([]profiles.Step, 1)}}
		}
		if err := a.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
