package scalar

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/spelling"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/tree"
)

// Parse reads statuses such as "2xx", "404", "200-299", and lists of them with
// commas.
func (v *Statuses) Parse(text string, _ bool) error {
	*v = nil
	for _, part := range strings.Split(text, ",") {
		r, ok := parseStatus(strings.TrimSpace(part))
		if code, isGRPC := profiles.ParseGRPCStatus(strings.TrimSpace(part)); isGRPC {
			r, ok = profiles.StatusRange{Low: code, High: code}, true
		}
		if !ok {
			return fmt.Errorf("%s is not a status: write one of HTTP such as 2xx, 404 or 200-204, or of gRPC such as ok or not-found", spelling.Cite(part))
		}
		*v = append(*v, r)
	}
	return nil
}

func parseStatus(text string) (profiles.StatusRange, bool) {
	if len(text) == 3 && strings.EqualFold(text[1:], "xx") && text[0] >= '1' && text[0] <= '5' {
		low := int(text[0]-'0') * 100
		return profiles.StatusRange{Low: low, High: low + 99}, true
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, err := strconv.Atoi(first)
	high, err2 := strconv.Atoi(last)
	return profiles.StatusRange{Low: low, High: high}, err == nil && err2 == nil && len(first) == 3 && len(last) == 3
}

func (v *Statuses) Format() (string, bool) {
	var parts []string
	for _, r := range *v {
		switch {
		case r.IsGRPC():
			for code := r.Low; code <= r.High; code++ {
				parts = append(parts, profiles.GRPCStatusName(code))
			}
		case r.Low == r.High:
			parts = append(parts, strconv.Itoa(r.Low))
		case r.Low%100 == 0 && r.High == r.Low+99:
			parts = append(parts, strconv.Itoa(r.Low/100)+"xx")
		default:
			parts = append(parts, strconv.Itoa(r.Low)+"-"+strconv.Itoa(r.High))
		}
	}
	return strings.Join(parts, ","), len(parts) == 1
}

func (v *Statuses) Decode(d *bind.Decoder, n *tree.Node, key string) {
	if n.Kind != tree.Sequence {
		d.Scalar(v, n, key)
		return
	}
	*v = Statuses{}
	for _, item := range n.Items {
		var one Statuses
		d.Scalar(&one, item, key)
		*v = append(*v, one...)
	}
}

func (v *Statuses) Node() *tree.Node {
	n := &tree.Node{Kind: tree.Sequence}
	for _, r := range *v {
		one := Statuses{r}
		n.Items = append(n.Items, bind.TextNode(one.Format()))
	}
	if len(n.Items) == 1 {
		return n.Items[0]
	}
	return n
}
