"""A real browser through the VIP: a page over TLS, many files at once, an upload; every byte right."""

import hashlib
import html
import json
import os
import re
import shutil
import unittest

from harness.case import LabCase
from harness.fairlead import Fairlead, vip
from harness.netns import SERVERS, VIP4, VIP6
from harness.servers import PORTS

FILES_COUNT = 40
# Fetches every file, hashes it with the browser's own SHA-256, uploads one, says what it saw.
PAGE = """<!doctype html><title>Dispatcher</title><pre id=out></pre><script>
const hex = bytes => [...new Uint8Array(bytes)].map(b => b.toString(16).padStart(2, '0')).join('');
const hash = async bytes => hex(await crypto.subtle.digest('SHA-256', bytes));
(async () => {
  const seen = {files: {}, servers: {}};
  await Promise.all([...Array(COUNT).keys()].map(async i => {
    const answer = await fetch('/files/asset-' + i, {cache: 'no-store'});
    const server = answer.headers.get('X-Server');
    seen.servers[server] = (seen.servers[server] || 0) + 1;
    seen.files[i] = await hash(await answer.arrayBuffer());
  }));
  const body = new Uint8Array(3 << 20).map((_, i) => (i * 7919) >> 5);
  const upload = await fetch('/put/browser', {method: 'PUT', body});
  seen.upload = {status: upload.status, server: upload.headers.get('X-Server'),
                 hash: await hash(body)};
  document.getElementById('out').textContent = JSON.stringify(seen);
})().catch(error => document.getElementById('out').textContent = 'failed: ' + error);
</script>"""


@unittest.skipUnless(shutil.which("chromium"),
                     "NO BROWSER: apt-get install --no-install-recommends chromium")
class BrowserTest(LabCase):
    def test_chromium_sees_every_byte(self):
        files = os.path.join(self.lab.directory, "files")
        wanted = {}
        for i in range(FILES_COUNT):
            content = os.urandom(1000 + i * i * 1500)  # 1 KB to 2.3 MB
            wanted[str(i)] = hashlib.sha256(content).hexdigest()
            with open(os.path.join(files, f"asset-{i}"), "wb") as file:
                file.write(content)
        with open(os.path.join(files, "page.html"), "w") as file:
            file.write(PAGE.replace("COUNT", str(FILES_COUNT)))
        fairlead = Fairlead(self.lab, [vip("dispatcher", ports=PORTS, servers=SERVERS)])
        for host in (VIP4, f"[{VIP6}]"):
            profile = os.path.join(self.lab.directory, "profile")
            text = self.lab.client.run(
                "timeout", "100", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--disable-http2", f"--user-data-dir={profile}",
                "--ignore-certificate-errors", "--virtual-time-budget=60000", "--dump-dom",
                f"https://{host}/files/page.html")
            shutil.rmtree(profile, ignore_errors=True)
            out = html.unescape(re.search(r"<pre id=\"out\">(.*?)</pre>", text, re.S).group(1))
            self.assertTrue(out.startswith("{"), out or text[-2000:])
            seen = json.loads(out)
            self.assertEqual(seen["files"], wanted)
            upload = seen["upload"]
            self.assertIn(upload["status"], (201, 204))
            stored = os.path.join(self.nginx[upload["server"]].directory, "put", "browser")
            with open(stored, "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), upload["hash"])
            os.unlink(stored)
            self.figure(f"{host}: {FILES_COUNT} files and a 3 MiB upload, hashes equal; answered by "
                        f"{json.dumps(dict(sorted(seen['servers'].items())))}")
        self.assertEqual(fairlead.metric("fairlead_vip_rejections_total"), 0)
