from django.template.loader import render_to_string


def test_unknown_url_shows_the_404_page(client, db):
    response = client.get("/nowhere", headers={"accept": "text/html"})
    assert response.status_code == 404
    assert "There is no page at this URL." in response.content.decode()


def test_error_500_template_renders_without_context():
    assert "Something went wrong" in render_to_string("500.html")


def test_admin_header_shows_the_name_of_the_service(admin_client):
    html = admin_client.get("/admin/").content.decode()
    assert '<div id="site-name"><a href="/admin/">Conversations</a></div>' in html
    assert "Django" not in html
