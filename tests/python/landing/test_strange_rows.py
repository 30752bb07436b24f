"""Rows that are strange, and keep the raw contract: none of them may stop a night by a rule of a mart.

What a mart cannot bear must be refused at the door, with its file and line, or reported: a test of a mart
names nobody, and may fail months after the row came.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.warehouses import Warehouse

# Orders of nothing, alone in their month; discounts of all; costs above the price; refunds before and without
# their order, and beyond it; people who refer themselves or each other; use and orders before the sign-up;
# words that we use ourselves; subscriptions for nothing, for a day and of no length; requests after the end;
# departures of nobody, of those who stay, before they came, on the day they buy, and to come;
# three answers to one invitation; tickets that were closed before they were opened.
TABLES = {
    "customers": """
customer_id,signed_up_at,country,acquisition_channel,referred_by_customer_id
A,2025-09-01,all,ads,A
B,2025-01-01,unknown,none,C
C,2025-03-01,,,B
D,,none,all,Z
E,2025-08-01,VN,ads,
""",
    "orders": """
order_id,customer_id,ordered_at,gross_amount,discount_amount,cost_amount,status
1,A,2025-01-10,0,,,
2,A,2025-03-10,0,0,5,
3,B,2025-05-01,10,10,20,
4,C,2025-06-01,10,,,returned
5,C,2025-06-02,10,,,cancelled
6,,2025-06-03,0,,,
7,E,2025-07-01,10,2,30,
8,E,2025-07-02,5,,1,
9,F|~x,2025-07-05,5,,1,completed
10,G,2025-10-05,5,,1,completed
11,G,2025-11-05,50,,10,completed
""",
    "order_items": """
order_id,line_number,product_id,quantity,unit_price
1,1,x,100000,0
1,2,x,1,0
3,1,y,0.5,1
99,1,y,1,1
""",
    "refunds": """
refund_id,order_id,customer_id,refunded_at,amount
r1,3,,2025-04-01,50
r2,99,B,2025-02-01,5
r3,6,,2025-07-01,5
r4,5,,2025-07-01,10
r5,8,E,2025-08-01,500
r6,,G,2025-12-01,1000
r7,9,A,2025-07-05,5
""",
    "subscriptions": """
subscription_id,customer_id,plan,billing_interval,amount,discount_amount,started_on,ended_on,cancel_requested_on,cancel_reason,cancel_type
s1,A,pro,month,0,0,2025-02-01,2025-05-01,2025-06-01,weird,voluntary
s2,H,,week,10,10,2025-01-01,2025-03-01,2024-12-01,,
s2,H,,week,10,,2025-03-01,2025-03-02,,,
s3,I,none,year,100,,2025-01-01,2025-02-15,2025-01-01,price,involuntary
s3,I,x,month,5,,2025-02-15,,,,
s4,I,x,quarter,5,,2025-02-10,2025-02-10,,,
s5,J,y,month,20,,2025-01-31,2025-10-31,2025-10-31,,
s5,J,y,month,30,,2025-10-31,,,,
""",
    "departures": """
departure_id,customer_id,subscription_id,departed_on,recorded_at,reason,comment
d1,J,,2025-06-01,,price,x
d2,I,,2025-06-01,,unknown,
d3,Q,,2025-01-01,,,
d4,G,,2025-10-20,,Price,bye
d5,A,,2024-01-01,,,
d6,E,,2026-01-05,2025-12-01 10:00,,
d7,H,s2,2025-03-02,,,ok
d8,E,,2025-07-02,,,
d9,I,zzz,2025-01-20,,,
d10,B,,2025-05-01,2025-11-01,all,
d11,G,,2025-10-21,,,
""",
    "survey_invitations": """
invitation_id,customer_id,sent_at
i1,A,2025-02-01 10:00
i2,A,2025-02-01 10:00
i3,Q,2025-03-01
""",
    "survey_responses": """
response_id,customer_id,responded_at,score
q1,A,2025-02-02,9
q2,A,2025-02-03,0
q3,A,2025-01-01,
q4,,2025-02-03,5
q5,Q,2025-03-01,10
q6,Q,2025-03-01,10
""",
    "usage_events": """
customer_id,used_on,feature,uses,minutes
A,2024-12-01,x,0,0
E,2025-01-01,x,,
J,2025-10-01,x,5,1000000
K,2025-10-01,x,5,1
""",
    "support_tickets": """
ticket_id,customer_id,opened_at,closed_at,satisfaction
t1,J,2025-10-20,2025-10-01,5
t2,L,2025-10-20,,
""",
    "payment_failures": """
failure_id,customer_id,failed_at,amount,recovered
f1,J,2025-10-29,,false
f2,I,2025-02-14,0,true
""",
    "marketing_spend": """
spent_on,channel,amount
2025-09-01,ads,0
2025-01-01,ads,100
2025-01-01,zzz,5
""",
}


@pytest.mark.slow
def test_strange_rows_stop_no_night(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    adapter = [
        "vars: {reporting_currency: USD, active_window_days: 40, as_of_date: 2025-12-20}",
        "tables:",
    ]
    for table, content in TABLES.items():
        (data / f"{table}.csv").write_text(content.lstrip(), encoding="utf-8")
        columns = ", ".join(f"{name}: {name}" for name in content.split()[0].split(","))
        adapter.append(f"  {table}: {{files: {table}.csv, columns: {{{columns}}}}}")
    file = tmp_path / "strange.yml"
    file.write_text("\n".join(adapter), encoding="utf-8")
    output = Warehouse(tmp_path).night(str(file), data)
    rows = sum(content.count("\n") - 2 for content in TABLES.values())
    assert f"Rejected                 0 of {rows} rows" in output
