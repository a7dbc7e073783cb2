"""Secrets that tests plant, each in a sentence, and ordinary sentences that must survive."""

from __future__ import annotations

SECRETS: tuple[tuple[str, str], ...] = (
    # What must never be seen again, and the sentence that it is planted in.
    ("joe.bloggs@example.org", "Write to joe.bloggs@example.org today."),
    ("a.b+shop@mail.example.co.ke", "from <a.b+shop@mail.example.co.ke>"),
    ("müller@beispiel.example", "Frau müller@beispiel.example schreibt"),
    ("o'neil@example.com", "o'neil@example.com."),
    ("UPPER@EXAMPLE.COM", "UPPER@EXAMPLE.COM"),
    ("+44 20 7946 0958", "Call +44 20 7946 0958 now"),
    ("+255 712 345 678", "Piga +255 712 345 678"),
    ("+33612345678", "Appelez le +33612345678."),
    ("06 12 34 56 78", "Mon numéro est le 06 12 34 56 78, merci"),
    ("06.12.34.56.78", "tél. 06.12.34.56.78"),
    ("0712 345 678", "Namba yangu ni 0712 345 678"),
    ("0712345678", "tel:0712345678"),
    ("020 7946 0958", "the office, 020 7946 0958"),
    ("(202) 555-0143", "or (202) 555-0143"),
    ("202-555-0143", "or 202-555-0143"),
    ("0044 20 7946 0958", "0044 20 7946 0958"),
    ("4111 1111 1111 1111", "card 4111 1111 1111 1111 please"),
    ("4111111111111111", "card=4111111111111111"),
    ("5555-5555-5555-4444", "5555-5555-5555-4444"),
    ("378282246310005", "Amex 378282246310005"),
    ("3782 822463 10005", "Amex 3782 822463 10005"),
    ("6011111111111117", "Discover 6011111111111117"),
    ("3530111333300000", "JCB 3530111333300000"),
    ("30569309025904", "Diners 30569309025904"),
    ("GB82 WEST 1234 5698 7654 32", "IBAN GB82 WEST 1234 5698 7654 32"),
    ("FR1420041010050500013M02606", "FR1420041010050500013M02606"),
    ("078-05-1120", "my SSN is 078-05-1120"),
    ("AB123456C", "National Insurance AB123456C"),
    ("1 85 05 78 006 084 91", "numéro de sécu 1 85 05 78 006 084 91"),
    ("185057800608491", "NIR 185057800608491"),
    ("19850101-12345-12345-12", "NIDA 19850101-12345-12345-12"),
    ("28391047", "kitambulisho namba 28391047"),
    ("A1234567", "passport no. A1234567"),
    ("12AB34567", "mon passeport n° 12AB34567"),
    ("TZ0123456", "pasipoti yangu namba TZ0123456"),
    ("K9876543", "K9876543 (passport)"),
    (
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ),
    ("mF_9.B5f-4.1JqM", "Authorization: Bearer mF_9.B5f-4.1JqM"),
    ("QWxhZGRpbjpvcGVu", "authorization: Basic QWxhZGRpbjpvcGVu"),
    ("abcdef0123456789", "bearer abcdef0123456789"),
    ("Zq8vT3rX", "{'Authorization': 'Token Zq8vT3rX'}"),
    ("sk-proj-abCdefghijkl1234567", "OpenAI sk-proj-abCdefghijkl1234567"),
    ("sk-ant-api03-Zx9yWv8uTs7r", "sk-ant-api03-Zx9yWv8uTs7r"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("github_pat_11ABCDEFG0123456789_abc", "github_pat_11ABCDEFG0123456789_abc"),
    ("xoxb-123456789012-abcdefGHIJ", "slack xoxb-123456789012-abcdefGHIJ"),
    ("AKIAIOSFODNN7EXAMPLE", "aws AKIAIOSFODNN7EXAMPLE"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIzaSyA1234567890abcdefghijklmnopqrstuv"),
    ("glpat-ABCdef1234567890xyz", "glpat-ABCdef1234567890xyz"),
    ("hf_AbCdEfGhIjKlMnOpQrSt", "hf_AbCdEfGhIjKlMnOpQrSt"),
    ("sf_a8Bc3De7Fg1Hi5Jk9Lm2No4Pq", "key sf_a8Bc3De7Fg1Hi5Jk9Lm2No4Pq"),
    ("MIIEpAIBAAKCAQEA1x", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1x\n-----END RSA PRIVATE KEY-----"),
    ("s3cr3tpw", "redis://:s3cr3tpw@cache:6379/0"),
    ("hunter:2pass", "could not reach postgresql://app:hunter:2pass@db/chat"),
    ("p@ss-w0rd", "amqp://guest:p@ss-w0rd@mq:5672//"),
    ("hunter2", "password=hunter2"),
    ("Tr0ub4dor&3", "the password: Tr0ub4dor&3"),
    ("open sesame", '{"passphrase": "open sesame"}'),
    ("nyoka-4472", "nenosiri: nyoka-4472"),
    ("Soleil#75", "mot de passe : Soleil#75"),
    ("deadbeefcafe", "https://example.org/?api_key=deadbeefcafe&x=1"),
    ("9f8e7d6c", "Set-Cookie: sid=9f8e7d6c; HttpOnly"),
    ("v3rys3cr3t", "client_secret=v3rys3cr3t"),
    ("c0ff33", "X-Api-Key: c0ff33"),
    ("tok_12ab", "access_token=tok_12ab"),
)

NAMED: dict[str, object] = {
    # Under such names a value is a secret, whatever it looks like.
    "password": "plain-horse",
    "PassWord": "plain-mule",
    "db-password": "plain-donkey",
    "api.key": "plain-zebra",
    "X-API-KEY": "plain-okapi",
    "apiKey": "plain-eland",
    "refresh_token": "plain-kudu",
    "Authorization": "plain-impala",
    "Cookie": ["plain-gnu", "plain-oryx"],
    "client_secret": {"inner": "plain-topi"},
    "privateKey": "plain-bongo",
    "credentials": {"user": "plain-nyala"},
}
NAMED_VALUES = ("horse mule donkey zebra okapi eland kudu impala gnu oryx topi bongo nyala").split()

ORDINARY = """\
Education is a passport to success.
My passport is in the drawer.
Renew your passport before you travel.
Passport photos are 35 by 45 mm.
How long does a passport application take?
The passport office opens at 9:30.
She spoke about passports and visas for 20 minutes.
The password: how to reset it.
Choose a password with at least 12 characters.
A password should never be shared.
Press the Tab key, then the Enter key.
The key to success is patience.
The secret of good tea is hot water.
The secret: patience and time.
He is the secretary of the club.
The model used 812 input tokens and 120 output tokens.
A token of my appreciation.
The bearer of this letter may enter.
Basic information about bearer certificates.
Basic understanding is enough.
Cookies: chocolate, oat and ginger.
Cookie: the recipe is simple.
The cookie jar is empty.
Authorization is required for this page.
Authorization: required.
The credentials of the ambassador were accepted.
On 24 November 2026 at 10:48 the train left.
On 01.02.2024 10:30 we met.
2026-11-24T10:48:30.123456Z
From 2019-2024 prices rose by 3.75 %.
The years 1999, 2000 and 2001.
The book has ISBN 978-3-16-148410-0.
Version 1.2.3.4 is out.
Pi is 3.14159265358979.
The confidence is 0.8723456789.
About 10,000,000 people live there.
There are 1 000 000 reasons.
Order 1234567890 was shipped.
Room 101, floor 12, desk 7.
It costs 1,299.00 dollars.
The score was 3-2 after 90 minutes.
Use port 6379 for Redis and 5432 for PostgreSQL.
The address is 127.0.0.1:5000.
The blue zebra Quillon eats exactly seven turnips a day.
See https://example.org/docs/settings#redaction for more.
See https://example.org:8443/a/b?page=2&sort=name.
Read more at http://localhost:5000/chat/.
Follow @spanfeed for news.
Twelve o'clock @ the station.
3 apples @ 2 dollars each.
The run 0b3c2d14-7b1c-4b0a-9a4f-2f7e6d1c9a55 has ended.
Trace 4bf92f3577b34da6a3ce929d0e0e4736 was sampled.
tool_search_documents took 12 ms.
response_generation is the longest stage.
The collection is called annual-report-2024-final-version.
gpt-4o-mini answered in 1.5 s.
Bake at 180 degrees for 45 minutes.
Flight BA 2490 leaves from gate B 42.
The population grew from 7.9 to 8.1 billion.
My number one rule is kindness.
Phone calls are free on Sundays.
Email is slower than chat.
The card game needs 52 cards.
Visa rules changed in 2023.
National identity is a wide subject.
🔍 Found 3 potential matches...
📩 Processing your message...
✅ Response ready
❌ The answer took too long.
Le passeport pour la réussite, c'est le travail.
Je n'ai pas de passeport.
Combien de temps faut-il pour obtenir un passeport ?
Ce n'est pas un secret.
Le mot de passe doit avoir douze caractères.
Le mot de passe : comment le changer ?
La clé du succès est la patience.
Il y a 1 250 000 habitants.
Le train part à 10 h 48 le 24/11/2026.
Prix : 1 299,00 euros.
Appelez-moi demain, s'il vous plaît.
Le numéro de la rue est le 12.
Le jeton est sur la table.
Les carottes sont cuites depuis 1985.
Version 2.0.1 disponible dès maintenant.
Voir la page 123 du rapport 2024.
La réunion dure de 14:00 à 15:30.
Les informations de base sont gratuites.
Le porteur de la lettre peut entrer.
Mon adresse est secrète.
Article 12, alinéa 3.
Pasipoti ni muhimu kwa safari.
Elimu ni pasipoti ya mafanikio.
Pasipoti ya mafanikio ni elimu.
Nenosiri ni siri yako.
Nenosiri: usimwambie mtu.
Kitambulisho cha taifa kinahitajika.
Leta kitambulisho chako kesho.
Namba moja ni moja tu.
Watu 1,000,000 wanaishi hapa.
Mkutano ni saa 4:30 asubuhi.
Bei ni shilingi 15,000.
Tarehe 24/11/2026 tutakutana.
Siri ya mafanikio ni subira.
Ufunguo wa mlango umepotea.
Habari za asubuhi, rafiki yangu.
Nyaraka tatu zimepatikana.
Ukurasa wa 45 una picha.
Simu yangu imeharibika.
Barua pepe ni haraka kuliko barua.
Chama kilianza mwaka 1977.
""".splitlines()
