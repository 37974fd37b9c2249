package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// tomcatHome is where Debian has Tomcat; its script stands for it among the needs.
const tomcatHome = "/usr/share/tomcat10"

// tomcatScenarios are limits of a real Tomcat's connector.
func tomcatScenarios() []Scenario {
	scenario := inNetwork("java", "javac", tomcatHome+"/bin/catalina.sh")
	return []Scenario{
		scenario("connection-slots", "server-connection-limit", "tomcat-max-connections",
			"Tomcat stops accepting at its number of connections, and later ones find the accept queue full (maxConnections, acceptCount)", func(b *bench) error {
				b.run.Expect.Causes = []string{"listen-backlog"} // where those wait that are not accepted
				limit, work := b.whole(30, 45), b.millis(90, 130)
				n, err := b.tomcat(work, fmt.Sprintf("maxConnections=%d", limit), fmt.Sprintf("acceptCount=%d", b.whole(8, 16)))
				if err != nil {
					return err
				}
				b.atServer(n, post("/orders", 600), 8080)
				b.run.Profile.Client.Timeout = time.Second
				load := float64(limit) / work.Seconds()
				b.rampTo(0.3*load, 1.6*load, 18*time.Second)
				b.onset(load, 0.3)
				return b.watchKernel(n.server, "server", "ListenOverflows")
			}),
		scenario("early-response", "early-response-unread-body", "tomcat-swallow-size",
			"Tomcat answers 413 to uploads, reads no more of them than it has to swallow, and resets the rest (maxSwallowSize)", func(b *bench) error {
				n, err := b.tomcat(10*time.Millisecond, fmt.Sprintf("maxSwallowSize=%d", b.whole(4000, 16_000)))
				if err != nil {
					return err
				}
				b.atServer(n, b.mixed(post("/orders", 600), post("/upload", b.whole(400_000, 900_000)), b.between(0.05, 0.1)), 8080)
				b.rampTo(60, b.between(160, 220), 18*time.Second)
				return b.watchKernel(n.server, "server", "TCPAbortOnClose")
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

// tomcat runs Tomcat on the server of a network.
func (b *bench) tomcat(work time.Duration, attributes ...string) (*network, error) {
	n, err := b.network(false)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.env.Dir, "Service.java")
	if err := os.WriteFile(file, []byte(tomcatService), 0o600); err != nil {
		return nil, fmt.Errorf("write service: %w", err)
	}
	args := append([]string{
		"-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", tomcatHome + "/lib/*:" + tomcatHome + "/bin/tomcat-juli.jar",
		file, b.env.Dir, serverAddr, fmt.Sprint(work.Milliseconds()),
	}, attributes...)
	if _, err := b.program(n.server, nil, "java", args...); err != nil {
		return nil, err
	}
	// It is compiled first, which takes longer than other servers do to start.
	for range 4 {
		if err = b.answers(n.server, netip.MustParseAddr(serverAddr), 8080); err == nil {
			break
		}
	}
	return n, err
}
