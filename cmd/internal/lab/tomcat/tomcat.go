// Package tomcat is a family of the lab's scenarios: Tomcat.
package tomcat

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/rampload/rampload/cmd/internal/lab"
)

// tomcatHome is where Debian has Tomcat; its script stands for it among the needs.
const tomcatHome = "/usr/share/tomcat10"

// Scenarios are limits of a real Tomcat's connector.
func Scenarios() []lab.Scenario {
	scenario := lab.InNetwork("java", "javac", tomcatHome+"/bin/catalina.sh")
	return []lab.Scenario{
		scenario("connection-slots", "server-connection-limit", "tomcat-max-connections",
			"Tomcat stops accepting at its number of connections, and later ones find the accept queue full (maxConnections, acceptCount)", func(b *lab.Bench) error {
				b.Run.Expect.Causes = []string{"listen-backlog"} // where those wait that are not accepted
				limit, work := b.Whole(30, 45), b.Millis(90, 130)
				n, err := startTomcat(b, work, fmt.Sprintf("maxConnections=%d", limit), fmt.Sprintf("acceptCount=%d", b.Whole(8, 16)))
				if err != nil {
					return err
				}
				b.AtServer(n, lab.Post("/orders", 600), 8080)
				b.Run.Profile.Client.Timeout = time.Second
				load := float64(limit) / work.Seconds()
				b.RampTo(0.3*load, 1.6*load, 18*time.Second)
				b.Onset(load, 0.3)
				return b.WatchKernel(n.Server, "server", "ListenOverflows")
			}),
		scenario("early-response", "early-response-unread-body", "tomcat-swallow-size",
			"Tomcat answers 413 to uploads, reads no more of them than it has to swallow, and resets the rest (maxSwallowSize)", func(b *lab.Bench) error {
				n, err := startTomcat(b, 10*time.Millisecond, fmt.Sprintf("maxSwallowSize=%d", b.Whole(4000, 16_000)))
				if err != nil {
					return err
				}
				b.AtServer(n, lab.Mixed(lab.Post("/orders", 600), lab.Post("/upload", b.Whole(400_000, 900_000)), b.Between(0.05, 0.1)), 8080)
				b.RampTo(60, b.Between(160, 220), 18*time.Second)
				return b.WatchKernel(n.Server, "server", "TCPAbortOnClose")
			}),
	}
}

// tomcatService runs Tomcat within itself. Its arguments are a folder, an address,
// the milliseconds of a request, and attributes of the connector.
const tomcatService = `import jakarta.servlet.http.*;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

public class Service {
    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(args[0]);
        Connector connector = new Connector();
        connector.setPort(8080);
        connector.setProperty("address", args[1]);
        long work = Long.parseLong(args[2]);
        for (int i = 3; i < args.length; i++) {
            String[] attribute = args[i].split("=");
            connector.setProperty(attribute[0], attribute[1]);
        }
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "orders", new HttpServlet() {
            @Override
            protected void doPost(HttpServletRequest request, HttpServletResponse response) throws java.io.IOException {
                if (request.getRequestURI().equals("/upload")) {
                    response.setStatus(413);
                    return;
                }
                request.getInputStream().readAllBytes();
                try {
                    Thread.sleep(work);
                } catch (InterruptedException e) {
                    return;
                }
                response.setContentLength(2);
                response.getWriter().print("ok");
            }
        });
        context.addServletMappingDecoded("/*", "orders");
        tomcat.start();
        tomcat.getServer().await();
    }
}
`

// startTomcat runs Tomcat on the server of a network.
func startTomcat(b *lab.Bench, work time.Duration, attributes ...string) (*lab.Network, error) {
	n, err := b.Network(false)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.Env.Dir, "Service.java")
	if err := os.WriteFile(file, []byte(tomcatService), 0o600); err != nil {
		return nil, fmt.Errorf("write service: %w", err)
	}
	args := append([]string{
		"-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", tomcatHome + "/lib/*:" + tomcatHome + "/bin/tomcat-juli.jar",
		file, b.Env.Dir, lab.ServerAddr, fmt.Sprint(work.Milliseconds()),
	}, attributes...)
	if _, err := b.Program(n.Server, nil, "java", args...); err != nil {
		return nil, err
	}
	// It is compiled first, which takes longer than other servers do to start.
	for range 4 {
		if err = b.Answers(n.Server, netip.MustParseAddr(lab.ServerAddr), 8080); err == nil {
			break
		}
	}
	return n, err
}
