"""What shops call things: the words by which a column or a file of an export is recognised.

English, German, French, Spanish and Vietnamese, and the exports of Shopify, WooCommerce, Stripe,
Magento, Odoo and PrestaShop. A phrase with `~` before it is a weak hint, that needs other evidence
beside it; `~~` is a makeshift.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache

# A match below this is no match: wrong guesses are worse than none.
THRESHOLD = 0.6
# From here on a name speaks for itself.
DISTINCTIVE = 0.85
# By the number of `~` before a phrase.
_WEIGHTS = (1.0, 0.75, 0.65)


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


@cache
def fold(text: str) -> str:
    """Lower case, no accents, words apart: `MãĐơnHàng` and `ma_don_hang` → `ma don hang`.

    German umlauts become one letter however they are written (`Auftraege`, `Aufträge` → `auftrage`).

    >>> fold('Straße-Nr.')
    'strasse nr'
    """
    text = re.sub(r"(?<=[^\W\d_])\.(?=[^\W\d_])", " ", text)
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        f" {letter}" if letter.isupper() and (before.islower() or before.isdigit()) else letter
        for before, letter in zip(" " + text, text, strict=False)
    )
    for letter, plain in (
        ("đ", "d"),
        ("Đ", "d"),
        ("ß", "ss"),
        ("œ", "oe"),
        ("æ", "ae"),
        ("ø", "o"),
        ("ł", "l"),
    ):
        text = text.replace(letter, plain)
    text = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    text = re.sub(r"([ao])e|(?<![qeai])ue(?=[a-z])", lambda match: match[1] or "u", text)
    return " ".join(re.findall(r"\w+", text.replace("_", " ")))


# --------------------------------------------------------------------------------------------- columns

_CUSTOMER = (
    "cust id, cust no, cust nr, cust number, ~cust, customer id, customer number, customer no, "
    "customer nr, customer code, customer ref, "
    "client id, client number, user id, account id, account number, account no, member id, "
    "member number, buyer id, "
    "contact id, shopper id, loyalty id, customer key, id customer, customer user, subscriber id, "
    "user number, ~customer, ~client, ~user, ~account, ~member, ~buyer, ~subscriber, kundennummer, "
    "kunden nr, kundennr, kunden id, kdnr, kd nr, debitor, debitorennummer, mitgliedsnummer, "
    "~kunde, id client, numero client, no client, n client, code client, client no, ~acheteur, "
    "id cliente, codigo cliente, numero cliente, ~cliente, ma khach hang, ma kh, ma khach, "
    "id khach hang, so khach hang, ma thanh vien, ~khach hang, ~khach, partner id, ~partner, "
    "~~email, ~~e mail, ~~customer email, ~~billing email, ~~email billing, ~~email address, "
    "~~email customer, ~~e mail adresse, ~~adresse email, ~~courriel, ~~phone, ~~phone number, "
    "~~customer phone, ~~so dien thoai, ~~sdt, ~~dien thoai"
)
_CURRENCY = (
    "currency, currency code, order currency, currency iso, presentment currency, currency id, "
    "wahrung, devise, monnaie, moneda, tien te, loai tien, don vi tien te, ma tien te, "
    "order currency code, base currency code"
)
_ORDER_ID = (
    "order id, order number, order no, order nr, order code, order ref, order reference, "
    "order name, increment id, invoice no, invoice id, invoice number, invoice, sale id, sales id, "
    "receipt id, receipt number, receipt no, bill number, bill no, ticket number, transaction id, "
    "purchase id, order key, ordernumber, id order, "
    "sales order, ~order, ~transaction, ~receipt, ~reference, bestellnummer, bestell nr, "
    "bestellnr, bestell id, auftragsnummer, auftrags nr, auftragsnr, rechnungsnummer, "
    "rechnungs nr, rechnungsnr, belegnummer, beleg nr, ~bestellung, ~auftrag, ~rechnung, ~beleg, "
    "numero commande, numero de commande, no commande, n commande, id commande, "
    "reference commande, ref commande, numero facture, ~commande, ~facture, numero pedido, "
    "id pedido, ~pedido, ma don hang, ma don, so don hang, id don hang, ma hoa don, so hoa don, "
    "~don hang, ~hoa don"
)
_QUANTITY = (
    "quantity, qty, quantity refund, lineitem quantity, item quantity, qty ordered, "
    "order line quantity, product quantity, units, ordered quantity, quantity ordered, ~count, "
    "~pieces, menge, anzahl, stuckzahl, quantite, qte, ~nombre, cantidad, so luong, sl, "
    "product uom qty"
)
_PRODUCT_ID = (
    "product id, sku, item id, lineitem sku, product sku, product code, stock code, "
    "article number, item code, item sku, product no, article id, product ref, product reference, "
    "asin, ean, variant id, ~product, ~item, ~article, artikelnummer, artikel nr, artikelnr, "
    "produkt id, produktnummer, ~artikel, ~produkt, id produit, ref produit, code article, "
    "reference produit, ~produit, id producto, codigo producto, ~producto, ma san pham, ma hang, "
    "ma sp, ma hang hoa, ~san pham"
)
_PRODUCT_NAME = (
    "product name, item name, lineitem name, product title, ~description, ~product, ~item, ~title, "
    "item description, product description, order items product name, artikelbezeichnung, "
    "artikelname, produktname, ~bezeichnung, ~artikel, ~produkt, nom produit, nom du produit, "
    "~designation, ~libelle, ~produit, nombre producto, ten san pham, ten hang, ten sp, "
    "ten hang hoa, ~san pham, ~name"
)
_UNIT_PRICE = (
    "unit price, price, lineitem price, item price, price per unit, item cost, price each, "
    "product price, unit price eur, price unit, ~item amount, einzelpreis, stuckpreis, preis, "
    "vk preis, prix unitaire, prix, precio, precio unitario, don gia, gia, gia ban"
)
_CHANNEL = (
    "acquisition channel, channel, source, utm source, traffic source, referral source, "
    "how did you hear, lead source, marketing channel, signup source, medium, origin, "
    "akquisekanal, kanal, herkunft, quelle, canal, canal acquisition, canal d acquisition, "
    "provenance, kenh, nguon, nguon khach hang, kenh tiep thi, kenh ban hang"
)

VOCABULARY: dict[str, dict[str, str]] = {
    "customers": {
        "customer_id": _CUSTOMER + ", ~id, ~number, ~code, ~external id, ~nr, ~ma, ~numero, ~key",
        "signed_up_at": (
            "signed up at, registered, sign up date, signup date, signup at, registered at, "
            "registration date, register date, date registered, created at, created, created date, "
            "creation date, date created, customer since, member since, join date, joined at, joined, "
            "account created, created utc, created on, ~date, date add, user registered, kunde seit, "
            "registriert am, registrierungsdatum, anmeldedatum, angelegt am, erstellt am, "
            "date inscription, date d inscription, date de creation, date creation, inscrit le, "
            "fecha registro, fecha alta, ngay dang ky, ngay tao, ngay tham gia"
        ),
        "country": (
            "country, country code, billing country, default address country code, address country, "
            "card address country, country id, default address country, ~shipping country, "
            "~billing address country, ~region, land, lieferland, pays, pais, quoc gia, nuoc"
        ),
        "acquisition_channel": _CHANNEL,
        "referred_by_customer_id": (
            "referred by, recommended by, referred by customer id, referrer id, referrer, "
            "referral customer id, referred by customer, invited by, inviter id, geworben von, "
            "empfohlen von, parraine par, parrain, nguoi gioi thieu, ma nguoi gioi thieu"
        ),
        "email": (
            "email, e mail, email address, mail, customer email, billing email, user email, "
            "e mail adresse, mailadresse, adresse e mail, adresse email, courriel, correo, "
            "correo electronico, dia chi email, thu dien tu"
        ),
    },
    "orders": {
        "order_id": _ORDER_ID + ", ~id, ~number, ~no, ~nr, ~ma, ~numero, ~ref, ~code",
        "customer_id": _CUSTOMER,
        "ordered_at": (
            "ordered at, order date, order time, order datetime, date ordered, order created at, "
            "order created, created at, created, date created, created date, creation date, created utc, "
            "created date utc, purchase date, purchased at, purchase time, purchased on, invoice date, "
            "transaction date, sale date, sales date, date order, date placed, placed at, "
            "order purchase timestamp, order timestamp, created on, date add, order placed, ~date, "
            "~timestamp, ~time, ~datetime, ~paid at, ~day, bestelldatum, bestellt am, auftragsdatum, "
            "rechnungsdatum, kaufdatum, belegdatum, ~datum, ~erstellt am, date commande, date de commande, "
            "date de la commande, date achat, date d achat, date facture, date facturation, "
            "~date creation, fecha pedido, fecha compra, ~fecha, ngay dat, ngay dat hang, ngay mua, "
            "ngay mua hang, ngay tao don, ngay ban, ngay hoa don, thoi gian dat hang, thoi gian tao, "
            "ngay gio, ~ngay, ~ngay tao, ~thoi gian"
        ),
        "gross_amount": (
            "gross amount, order total, total, total amount, order amount, total price, grand total, "
            "order total amount, amount total, total paid, order value, revenue, sales, sales amount, "
            "total sales, total price usd, grand total purchased, total paid tax incl, sale amount, "
            "~amount, ~value, ~subtotal, ~net sales, ~price, gesamtbetrag, gesamt, gesamtsumme, summe, "
            "bestellwert, rechnungsbetrag, bruttobetrag, endbetrag, umsatz, betrag brutto, gesamtpreis, "
            "~betrag, ~brutto, montant, montant total, total ttc, montant ttc, total commande, "
            "montant commande, prix total, ~ca, importe, importe total, ~monto, tong tien, tong cong, "
            "thanh tien, tong gia tri, gia tri don hang, tong thanh toan, doanh thu, tong tien hang, "
            "~so tien, ~tien"
        ),
        "discount_amount": (
            "discount amount, discount, discounts, total discount, total discounts, order discount, "
            "cart discount, cart discount amount, order discount amount, discount total, coupon amount, "
            "base discount amount, total discounts tax incl, voucher amount, rabatt, rabattbetrag, "
            "nachlass, gutschein, gutscheinbetrag, remise, montant remise, reduction, ~coupon, descuento, "
            "giam gia, chiet khau, tien giam, khuyen mai"
        ),
        "cost_amount": (
            "cost amount, cost, cost of goods, cogs, total cost, order cost, cost price, wareneinsatz, "
            "kosten, einkaufspreis, cout, cout total, cout d achat, costo, gia von, chi phi"
        ),
        "currency": _CURRENCY,
        "status": (
            "status, order status, financial status, payment status, state, order state, current state, "
            "~fulfillment status, bestellstatus, auftragsstatus, zahlungsstatus, statut, statut commande, "
            "statut de la commande, etat, etat commande, estado, trang thai, trang thai don hang, "
            "tinh trang, tinh trang don hang"
        ),
    },
    "order_items": {
        "order_id": _ORDER_ID + ", name order",
        "line_number": (
            "line number, line no, line item number, position, pos, line, item number, row number, seq, "
            "sequence, positionsnummer, zeile, ligne, numero ligne, stt, so thu tu, order item number"
        ),
        "product_id": _PRODUCT_ID,
        "product_name": _PRODUCT_NAME,
        "category": (
            "category, product category, product type, item category, category name, product group, "
            "item type, department, lineitem category, kategorie, warengruppe, produktgruppe, categorie, "
            "famille, categoria, danh muc, nhom hang, loai hang, loai san pham, nhom san pham"
        ),
        "quantity": _QUANTITY,
        "unit_price": _UNIT_PRICE,
    },
    "refunds": {
        "refund_id": (
            "refund id, refund number, refund no, credit memo id, credit note number, credit note id, "
            "return id, credit memo, erstattungsnummer, retourennummer, gutschriftnummer, "
            "id remboursement, numero avoir, ma hoan tien, ma tra hang, ~id, ~number, ~nr, ~ma, ~refund"
        ),
        "order_id": _ORDER_ID,
        "customer_id": _CUSTOMER,
        "refunded_at": (
            "refunded at, refund date, refund time, return date, returned at, created at, created, date, "
            "created utc, date created, refund created at, date refunded, refunded date utc, erstattet am, "
            "erstattungsdatum, retourendatum, gutschriftdatum, ~datum, date remboursement, "
            "date de remboursement, date avoir, ngay hoan tien, ngay hoan, ngay tra hang, ngay tra, ~ngay"
        ),
        "amount": (
            "refund amount, refunded amount, amount refunded, amount, total refunded, refund total, "
            "refund, total, value, erstattungsbetrag, erstattung, betrag, gutschriftbetrag, "
            "montant rembourse, montant, montant remboursement, so tien hoan, tien hoan, so tien"
        ),
        "currency": _CURRENCY,
        "reason": (
            "reason, refund reason, return reason, reason for return, erstattungsgrund, retourengrund, "
            "grund, motif, raison, motivo, ly do, ly do tra hang, ly do hoan tien"
        ),
    },
    "subscriptions": {
        "subscription_id": (
            "subscription id, subscription number, subscription, contract id, contract number, "
            "membership id, abo id, abonummer, abo nr, vertragsnummer, vertrags nr, id abonnement, "
            "numero abonnement, numero contrat, ma goi, ma thue bao, ma hop dong, ma dang ky, ~id, "
            "~number, ~nr, ~ma"
        ),
        "customer_id": _CUSTOMER,
        "plan": (
            "plan, plan name, plan id, product, product name, package, tier, subscription plan, price id, "
            "tarif, paket, vertragsart, produkt, formule, forfait, offre, abonnement, goi, ten goi, "
            "goi cuoc, goi dich vu, ~nickname"
        ),
        "billing_interval": (
            "billing interval, interval, billing period, billing cycle, period, frequency, plan interval, "
            "recurring interval, billing frequency, payment frequency, abrechnungsintervall, "
            "abrechnungszeitraum, intervall, zahlweise, laufzeit, turnus, periodicite, frequence, "
            "intervalle, chu ky, ky han, chu ky thanh toan, ky thanh toan"
        ),
        "amount": (
            "amount, price, plan amount, subscription amount, unit amount, recurring amount, "
            "subscription price, fee, monthly price, recurring price, betrag, preis, beitrag, "
            "monatsbeitrag, gebuhr, montant, prix, tarif mensuel, so tien, gia, gia goi, phi, cuoc phi, "
            "order total, total, recurring total"
        ),
        "discount_amount": "discount amount, discount, rabatt, remise, reduction, giam gia, chiet khau",
        "currency": _CURRENCY,
        "started_on": (
            "started on, start date, started at, start, start date utc, started, starts at, begin date, "
            "activation date, subscribed at, subscription start, ~created utc, ~created, ~created at, "
            "~current period start utc, startdatum, beginn, vertragsbeginn, start am, abobeginn, ~von, "
            "date debut, date de debut, debut, ngay bat dau, bat dau, ngay kich hoat, tu ngay, "
            "~ngay dang ky"
        ),
        "ended_on": (
            "ended on, end date, ended at, end, ended at utc, ends at, expiration date, ended, expired at, "
            "expiry date, subscription end, end date utc, enddatum, ende, vertragsende, date fin, "
            "date de fin, ~fin, ngay ket thuc, ket thuc, ngay het han, den ngay"
        ),
        "cancel_requested_on": (
            "cancel requested on, canceled at, cancelled at, canceled at utc, cancelled at utc, "
            "cancellation date, cancel date, cancelled on, canceled date utc, cancellation requested at, "
            "cancelled date, gekundigt am, kundigungsdatum, kundigung am, date resiliation, "
            "date de resiliation, date annulation, ngay huy, ngay yeu cau huy"
        ),
        "cancel_reason": (
            "cancel reason, cancellation reason, churn reason, reason, kundigungsgrund, motif resiliation, "
            "motif de resiliation, raison, ly do huy, ly do"
        ),
        "cancel_comment": (
            "cancel comment, cancellation comment, cancellation feedback, feedback, kundigungskommentar, "
            "commentaire resiliation, ghi chu huy"
        ),
        "cancel_type": (
            "cancel type, cancellation type, churn type, kundigungsart, type resiliation, loai huy"
        ),
    },
    "departures": {
        "departure_id": "departure id, churn id, churn event id, exit id, closure id, ~event id, ~id, ~ma",
        "customer_id": _CUSTOMER,
        "subscription_id": (
            "subscription id, subscription number, subscription, contract id, contract number, "
            "vertragsnummer, numero contrat, ma goi, ma hop dong"
        ),
        "departed_on": (
            "departed on, departure date, departed at, churned on, churn date, churned at, left on, left at, "
            "leave date, leaving date, exit date, closed on, closure date, account closed at, "
            "austrittsdatum, austritt am, date depart, date de depart, ngay roi bo, ngay roi di, ngay nghi, "
            "~date, ~ngay"
        ),
        "recorded_at": (
            "recorded at, recorded on, noted at, logged at, entered at, ~created at, ~created utc, "
            "erfasst am, saisi le, ngay ghi nhan"
        ),
        "reason": (
            "reason, churn reason, departure reason, leaving reason, exit reason, churn category, "
            "austrittsgrund, motif depart, motif de depart, motif, raison, ly do roi bo, ly do"
        ),
        "comment": (
            "comment, comments, churn comment, exit comment, note, notes, feedback, kommentar, commentaire, "
            "ghi chu, nhan xet"
        ),
    },
    "survey_invitations": {
        "invitation_id": "invitation id, invite id, survey invitation id, ~id, ~ma",
        "customer_id": _CUSTOMER,
        "survey": "survey, survey name, survey id, campaign, umfrage, enquete, khao sat",
        "sent_at": (
            "sent at, sent date, send date, invited at, invitation date, date sent, sent, gesendet am, "
            "versendet am, date envoi, date d envoi, envoye le, ngay gui, ~date, ~created at"
        ),
    },
    "survey_responses": {
        "response_id": (
            "response id, answer id, submission id, survey response id, token, antwort id, id reponse, "
            "ma phan hoi, ~id, ~ma"
        ),
        "customer_id": _CUSTOMER,
        "survey": "survey, survey name, survey id, campaign, form, umfrage, enquete, khao sat, ten khao sat",
        "responded_at": (
            "responded at, response date, answered at, submitted at, submit date, submitted, answer date, "
            "date submitted, timestamp, completed at, created at, date, beantwortet am, antwortdatum, "
            "datum, date reponse, date de reponse, ngay tra loi, ngay phan hoi, thoi gian, ngay danh gia, "
            "~ngay"
        ),
        "score": (
            "score, nps, nps score, rating, likelihood to recommend, recommendation score, "
            "how likely are you to recommend us, bewertung, punkte, note, diem, diem nps, diem so, "
            "danh gia, so diem, ~answer"
        ),
        "comment": (
            "comment, comments, feedback, verbatim, reason, response text, answer text, kommentar, "
            "commentaire, remarque, gop y, nhan xet, y kien, binh luan, phan hoi, ghi chu"
        ),
    },
    "usage_events": {
        "customer_id": _CUSTOMER,
        "used_on": (
            "used on, usage date, event date, date, day, event time, timestamp, occurred at, "
            "event timestamp, activity date, used at, login date, event at, datum, nutzungsdatum, "
            "date utilisation, jour, ngay, ngay su dung, thoi gian, ~created at"
        ),
        "feature": (
            "feature, event, event name, action, activity, event type, feature name, module, page, "
            "funktion, ereignis, fonctionnalite, evenement, tinh nang, su kien, chuc nang, hanh dong"
        ),
        "uses": (
            "uses, count, event count, usage count, times, number of uses, total events, anzahl, "
            "nutzungen, nombre, so lan, luot"
        ),
        "minutes": (
            "minutes, duration minutes, minutes used, session minutes, duration min, minuten, so phut, phut"
        ),
    },
    "support_tickets": {
        "ticket_id": (
            "ticket id, ticket number, case id, case number, issue id, conversation id, ticket no, "
            "ticket nr, ticketnummer, numero ticket, ma yeu cau, ma phieu, ma ticket, ~id, ~number, "
            "~ticket, ~ma"
        ),
        "customer_id": _CUSTOMER + ", requester id, ~requester",
        "opened_at": (
            "opened at, open date, created at, created, created date, date opened, submitted at, opened, "
            "date created, reported at, eroffnet am, erstellt am, date ouverture, cree le, ngay tao, "
            "ngay mo, ~date"
        ),
        "closed_at": (
            "closed at, solved, close date, resolved at, solved at, date closed, closed, closed date, "
            "resolution date, resolved date, geschlossen am, gelost am, date fermeture, ferme le, "
            "resolu le, ngay dong, ngay xu ly xong"
        ),
        "priority": (
            "priority, severity, urgency, prioritat, priorite, prioridad, muc do uu tien, uu tien, do uu tien"
        ),
        "satisfaction": (
            "satisfaction, stars, csat, satisfaction score, satisfaction rating, csat score, rating, "
            "zufriedenheit, muc do hai long, hai long"
        ),
    },
    "payment_failures": {
        "failure_id": (
            "failure id, payment failure id, charge id, payment id, invoice id, ~id, ~transaction id"
        ),
        "customer_id": _CUSTOMER,
        "failed_at": (
            "failed at, failure date, date failed, payment date, attempted at, created utc, created at, "
            "created, date, fehlgeschlagen am, date echec, ngay that bai"
        ),
        "amount": "amount, amount due, failed amount, payment amount, total, betrag, montant, so tien",
        "recovered": "recovered, is recovered, was recovered, resolved, recovered later, paid later",
    },
    "marketing_spend": {
        "spent_on": (
            "spent on, date, day, spend date, reporting starts, month, week, datum, tag, jour, ngay, "
            "~campaign date"
        ),
        "channel": (
            "channel, source, platform, campaign, campaign name, medium, utm source, network, kanal, "
            "kampagne, quelle, canal, campagne, kenh, chien dich, nguon"
        ),
        "amount": (
            "amount, spend, cost, amount spent, ad spend, spent, marketing spend, total cost, total spend, "
            "kosten, ausgaben, betrag, depenses, cout, montant depense, montant, chi phi, so tien"
        ),
        "currency": _CURRENCY + ", account currency",
    },
    "exchange_rates": {
        "currency": _CURRENCY + ", from currency, source currency, quote currency, base currency",
        "rate_date": (
            "rate date, date, day, valid from, valid on, as of, effective date, datum, kursdatum, jour, "
            "ngay, ngay ty gia"
        ),
        "rate_to_reporting": (
            "rate, exchange rate, rate to reporting, fx rate, conversion rate, kurs, wechselkurs, taux, "
            "taux de change, ty gia, ti gia"
        ),
    },
}

# What the exports of well-known systems mean by names that say nothing by themselves. The first set must be
# there.
KNOWN_EXPORTS: tuple[tuple[frozenset[str], str, dict[str, str]], ...] = (
    # Shopify, orders: `Name` is the order's number and stands on each line; `Id` on the first line only.
    (frozenset({"name", "financial status", "lineitem quantity"}), "orders", {"order_id": "name"}),
    (frozenset({"name", "financial status", "lineitem quantity"}), "order_items", {"order_id": "name"}),
    (frozenset({"name", "financial status", "total"}), "orders", {"order_id": "name"}),
    # Odoo, sale.order and pos.order: `name` is the order's reference.
    (frozenset({"name", "date order", "amount total"}), "orders", {"order_id": "name"}),
    (
        frozenset({"order reference", "order date", "untaxed amount"}),
        "orders",
        {"order_id": "order reference"},
    ),
    # Stripe: `id` is the object's own.
    (frozenset({"id", "current period start utc"}), "subscriptions", {"subscription_id": "id"}),
    # Magento: `ID` is the increment id that customers see.
    (frozenset({"id", "purchase point", "grand total base"}), "orders", {"order_id": "id"}),
)

# Words that say nothing beside a name, per table: "Order Total" in the orders file is "Total".
_NEUTRAL = {
    "customers": "customer client user account kunden kunde khach hang",
    "orders": "order orders sale sales bestell bestellung commande don hang",
    "order_items": "item line lineitem order product",
    "refunds": "refund return",
    "subscriptions": "subscription abo",
    "departures": "departure churn exit",
    "survey_invitations": "survey invitation",
    "survey_responses": "survey response",
    "usage_events": "usage event",
    "support_tickets": "ticket case support",
    "payment_failures": "failure payment",
    "marketing_spend": "ad ads marketing",
    "exchange_rates": "",
}
_STOP_WORDS = word_set(
    "of the a an de du des la le les l d der die das des am el del per in by utc gmt local our s it"
)
_UNITS = word_set("usd eur gbp vnd chf aud cad jpy incl vat tax inc base cents")


@cache
def _phrases(text: str) -> tuple[tuple[str, float], ...]:
    result: dict[str, float] = {}
    for phrase in text.split(","):
        weight = _WEIGHTS[len(phrase.strip()) - len(phrase.strip().lstrip("~"))]
        folded = fold(phrase.strip().lstrip("~"))
        result[folded] = max(weight, result.get(folded, 0.0))
    return tuple(result.items())


@cache
def name_score(name: str, table: str, column: str) -> float:
    """How well a source column's name fits a canonical column, 0 to 1: 1 is a known name, 0 a strange one.

    Misspelt words count a little less, but each word must be there: "Cancelled at" is not "Created at".
    """
    folded = fold(name)
    if not folded:
        return 0.0
    neutral = frozenset(_NEUTRAL[table].split()) | _UNITS | _STOP_WORDS
    return max(
        (
            _phrase_score(folded, phrase, neutral) * weight
            for phrase, weight in _phrases(VOCABULARY[table][column])
        )
    )


def _phrase_score(name: str, phrase: str, neutral: frozenset[str]) -> float:
    if name == phrase:
        return 1.0
    if name.replace(" ", "") == phrase.replace(" ", ""):
        return 0.99
    words = frozenset(name.split()) - _STOP_WORDS
    wanted = frozenset(phrase.split()) - _STOP_WORDS
    if not words or not wanted:
        return 0.0
    if words == wanted:
        return 0.97
    if wanted < words and words - wanted <= neutral:
        return 0.9
    if len(words) == len(wanted) and all(_is_misspelt(word, wanted) for word in words):
        return 0.85
    return 0.0


def _is_misspelt(word: str, wanted: Iterable[str]) -> bool:
    return any(
        word == other
        or (
            len(word) > 4
            and len(other) > 4
            and word[0] == other[0]
            and SequenceMatcher(None, word, other).ratio() >= 0.8
        )
        for other in wanted
    )


# ----------------------------------------------------------------------------------------------- files

_FILES = {
    "customers": (
        "customers, customer, clients, client, users, user, members, contacts, accounts, buyers, "
        "kunden, kundenliste, kundenstamm, kunde, adherents, clientes, khach hang, khachhang, "
        "danh sach khach hang, res partner, customer entity"
    ),
    "orders": (
        "orders, order, sales, sale, purchases, transactions, invoices, receipts, bestellungen, "
        "bestellung, auftrage, auftrag, rechnungen, verkaufe, umsatze, commandes, commande, ventes, "
        "factures, achats, pedidos, ventas, don hang, donhang, hoa don, hoadon, ban hang, sale order, "
        "pos order, orders export, sales order, online retail"
    ),
    "order_items": (
        "order items, order item, orderitems, items, line items, lineitems, order lines, order line, "
        "orderlines, order details, order products, sale order line, sales order item, "
        "bestellpositionen, auftragspositionen, positionen, lignes, lignes commande, "
        "lignes de commande, chi tiet don hang, chi tiet, chitietdonhang, invoice lines"
    ),
    "refunds": (
        "refunds, refund, returns, credit memos, credit notes, erstattungen, retouren, gutschriften, "
        "remboursements, avoirs, retours, devoluciones, hoan tien, tra hang, hoan tra"
    ),
    "subscriptions": (
        "subscriptions, subscription, subs, contracts, memberships, abos, abonnements, vertrage, "
        "suscripciones, goi cuoc, thue bao, dang ky, hop dong"
    ),
    "departures": (
        "departures, churn events, churned customers, leavers, exits, account closures, closures, austritte, "
        "departs, khach hang roi bo, khach roi bo, roi bo"
    ),
    "survey_invitations": "survey invitations, invitations, invites, nps invitations, einladungen, loi moi",
    "survey_responses": (
        "survey responses, surveys, survey, responses, nps, nps responses, feedback, answers, umfrage, "
        "umfragen, enquete, enquetes, khao sat, phan hoi, danh gia, ratings"
    ),
    "usage_events": (
        "usage events, usage, events, activity, logins, product usage, feature usage, nutzung, "
        "utilisation, su dung, su kien"
    ),
    "support_tickets": (
        "support tickets, tickets, support, cases, helpdesk, supporttickets, ho tro, yeu cau ho tro"
    ),
    "payment_failures": (
        "payment failures, failed payments, failed charges, failures, dunning, fehlgeschlagene zahlungen"
    ),
    "marketing_spend": (
        "marketing spend, ad spend, spend, ads, marketing, adspend, marketing costs, campaigns, "
        "werbekosten, depenses marketing, chi phi marketing, quang cao, chi phi quang cao"
    ),
    "exchange_rates": (
        "exchange rates, fx, fx rates, currency rates, rates, wechselkurse, kurse, taux de change, ty gia"
    ),
}
# Exports that a shop has and the warehouse has no table for. `payments` may stand for orders, if nothing
# better does.
_OTHER_FILES = (
    "products, product, catalog, catalogue, inventory, stock, suppliers, employees, staff, "
    "shipments, stores, categories, coupons, discount codes, payments, payouts, charges, balance, "
    "addresses, carts, abandoned checkouts, checkouts, reviews, produkte, artikel, lager, "
    "lieferanten, mitarbeiter, zahlungen, produits, fournisseurs, employes, paiements, san pham, "
    "kho, nha cung cap, nhan vien, thanh toan, gift cards, taxes, targets, budget, forecast, "
    "leads, truth"
)


def tables_named(path: str) -> dict[str, float]:
    """Which tables a file's name speaks of: 1 for its own name, 0.7 for a folder's; `other` for something
    else.

    Longer phrases go first and use up their words: `order_items` speaks of order items, not of orders.
    """
    *folders, stem = re.sub(r"\.\w+$", "", path.removesuffix(".gz")).split("/")
    result: dict[str, float] = {}
    for part, weight in [(stem, 1.0), *((folder, 0.7) for folder in reversed(folders))]:
        for table in _spoken_of(part):
            result.setdefault(table, weight)
    return result


def _spoken_of(part: str) -> list[str]:
    text = f" {re.sub(r'[0-9]+', ' ', fold(part))} "
    text = re.sub(r" +", " ", text)
    tables = []
    for phrase, table in _file_phrases():
        if f" {phrase} " in text:
            text = text.replace(f" {phrase} ", " ")
            tables.append(table)
    return tables


@cache
def _file_phrases() -> tuple[tuple[str, str], ...]:
    pairs = [(fold(phrase), table) for table, words in _FILES.items() for phrase in words.split(",")]
    pairs += [(fold(phrase), "other") for phrase in _OTHER_FILES.split(",")]
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


# ---------------------------------------------------------------------------------------------- values

ORDER_STATUSES = {
    "completed": (
        "completed, complete, paid, sales order, fulfilled, shipped, delivered, closed, done, "
        "success, succeeded, "
        "successful, sale, invoiced, processing, placed, captured, confirmed, dispatched, "
        "partially refunded, partially shipped, partial, finished, partially fulfilled, "
        "return pending, in transit, ready for pickup, posted, authorized, abgeschlossen, bezahlt, "
        "versendet, versandt, erledigt, geliefert, verschickt, teilweise erstattet, in bearbeitung, "
        "paye, payee, termine, terminee, livre, livree, expedie, expediee, completado, pagado, "
        "enviado, entregado, hoan thanh, da giao, da giao hang, da thanh toan, thanh cong, hoan tat, "
        "da hoan thanh, dang giao, dang giao hang, dang xu ly"
    ),
    "cancelled": (
        "cancelled, canceled, void, voided, failed, expired, abandoned, pending, pending payment, "
        "on hold, draft, trash, refused, declined, checkout draft, unpaid, awaiting payment, cancel, "
        "fraud, quotation, quotation sent, sent, storniert, abgebrochen, fehlgeschlagen, offen, "
        "unbezahlt, annule, annulee, en attente, echoue, echouee, refuse, cancelado, pendiente, huy, "
        "da huy, bi huy, that bai, cho thanh toan, chua thanh toan, cho xac nhan"
    ),
    "returned": "returned, sent back, refunded, refund, return, charged back, chargeback, fully refunded, "
    "retourniert, erstattet, zuruckgegeben, zuruckgesendet, "
    "rembourse, remboursee, retourne, retournee, devuelto, reembolsado, "
    "tra hang, da tra hang, hoan tra, da hoan tra, hoan tien, da hoan tien, da tra",
}
# The statuses of which shops mean different things: a person should look.
DOUBTFUL_STATUSES = frozenset(
    phrase
    for phrase, _ in _phrases(
        "pending, pending payment, on hold, draft, unpaid, awaiting payment, placed, processing, "
        "return pending, authorized, confirmed, offen, unbezahlt, in bearbeitung, en attente, "
        "pendiente, cho thanh toan, chua thanh toan, cho xac nhan, dang giao, dang giao hang, dang xu "
        "ly, partial, sent, quotation sent, in transit"
    )
)
BILLING_INTERVALS = {
    "week": (
        "week, weekly, wochentlich, woche, semaine, hebdomadaire, semanal, tuan, hang tuan, 1 week, 7 days"
    ),
    "month": (
        "month, monthly, months, monatlich, monat, mois, mensuel, mensuelle, mensual, mes, thang, "
        "hang thang, 1 month, 30 days, m"
    ),
    "quarter": (
        "quarter, quarterly, vierteljahrlich, quartal, quartalsweise, trimestre, trimestriel, "
        "trimestral, quy, hang quy, 3 months, 3 month, every 3 months, 3 thang"
    ),
    "year": (
        "year, yearly, annual, annually, jahrlich, jahr, an, annee, annuel, annuelle, anual, ano, nam, "
        "hang nam, 1 year, 12 months, 12 month, 365 days, y, 12 thang"
    ),
}
CANCEL_TYPES = {
    "voluntary": (
        "voluntary, customer, requested, customer request, cancellation requested, freiwillig, "
        "volontaire, tu nguyen"
    ),
    "involuntary": (
        "involuntary, payment failed, payment failure, payment disputed, non payment, dunning, "
        "unfreiwillig, involontaire, khong tu nguyen"
    ),
}


def meaning(value: str, vocabulary: dict[str, str]) -> str | None:
    """The canonical value a source value stands for, or None.

    >>> meaning('wc-completed', ORDER_STATUSES)
    'completed'
    """
    folded = fold(value).removeprefix("wc ")
    for canonical, words in vocabulary.items():
        if folded in (phrase for phrase, _ in _phrases(words)):
            return canonical
    return None


# --------------------------------------------------------------------------------------- personal data

_PERSONAL = word_set(
    "mail email courriel correo phone tel telephone mobile cell fax sdt address address1 address2 "
    "adresse anschrift street strasse rue zip postcode postal plz city ort ville ciudad lat lng "
    "latitude longitude ip iban bic card birth birthday birthdate dob geburtsdatum naissance "
    "firstname lastname fullname surname vorname nachname prenom nom apellido nombre first last "
    "contact ansprechpartner recipient empfanger destinataire nguoi password passport cmnd cccd "
    "ssn ten ho note notes comment comments message bemerkung kommentar remarque commentaire "
    "telefon handy username login salutation anrede gender geschlecht company firma entreprise "
    "telefonnummer hausnummer signature buyer kunde khach client customer"
)
_PERSONAL_PHRASES = (
    "dien thoai",
    "so dt",
    "dia chi",
    "ngay sinh",
    "ghi chu",
    "e mail",
    "code postal",
    "ho ten",
    "ho va ten",
)
_THINGS = word_set(
    "product produkt produit producto artikel article item lineitem plan campaign feature san "
    "pham sp hang discount"
)


def is_personal_name(name: str) -> bool:
    """Whether a column's name speaks of a person's data: its values are never shown."""
    folded = fold(name)
    words = set(folded.split())
    if any(f" {phrase} " in f" {folded} " for phrase in _PERSONAL_PHRASES):
        return True
    if words & _THINGS and not words & {
        "mail",
        "email",
        "phone",
        "address",
        "note",
        "customer",
        "client",
        "khach",
    }:
        return False
    return bool(words & (_PERSONAL | {"name"})) or any(
        hint in folded.replace(" ", "")
        for hint in ("email", "phone", "address", "firstname", "lastname", "fullname")
    )
