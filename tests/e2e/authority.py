"""A certificate authority of a test's own."""
import subprocess

CA_CONFIG = """[ca]
default_ca = own
[own]
database = {folder}/index
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
[any]
commonName = supplied
"""


class Authority:
    """Issues certificates and takes them back, by the openssl program."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "index").touch()
        for name in ("serial", "crlnumber"):
            (folder / name).write_text("01\n")
        (folder / "ca.conf").write_text(CA_CONFIG.format(folder=folder))
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=ca",
                 "-keyout", "ca.key", "-out", "ca.pem")
        self.renew_crl()

    def run(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)

    def ca(self, *words):
        self.run("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", *words)

    def issue(self, name, alt="DNS:any"):
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={alt}\n")
        self.ca("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-notext")

    def revoke(self, name):
        self.ca("-revoke", f"{name}.pem")
        self.renew_crl()

    def renew_crl(self):
        self.ca("-gencrl", "-out", "crl.pem")
